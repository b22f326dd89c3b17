"""Wrong inputs of the referee, each with a part of its line."""

import gzip
import io
import json
import pathlib
import zipfile

import numpy as np

SCORES = np.array([0.1, 0.9, 0.2, 0.8, 0.3, 0.7])
LABELS = np.array([0, 1, 0, 1, 0, 0])


def npy(array, **options) -> bytes:
  stream = io.BytesIO()
  np.save(stream, array, **options)
  return stream.getvalue()


def npz(**arrays) -> bytes:
  stream = io.BytesIO()
  np.savez(stream, **arrays)
  return stream.getvalue()


def csv(*rows) -> bytes:
  return '\n'.join(rows).encode() + b'\n'


def written(folder: pathlib.Path, files: dict[str, bytes]) -> None:
  """Writes files below a folder."""
  for name, content in files.items():
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _one(name: str, content: bytes, part: str, **options):
  """Scores in one file; labels are as they should be."""
  return {name: content}, {'scores': name, **options}, part


def _label(name: str, content: bytes, part: str):
  """Labels in one file; scores are as they should be."""
  return {name: content}, {'labels': name}, part


def _lengths(text: str, part: str, **files):
  return files, {'video_lengths': text}, part


def _table(*rows, part: str):
  return {'t.csv': csv(*rows)}, {'scores': 't.csv', 'labels': ''}, part


def _folders(scores: dict, labels: dict, part: str):
  """Folders with one file for each video."""
  files = {f's/{name}': content for name, content in scores.items()}
  files |= {f'l/{name}': content for name, content in labels.items()}
  return files, {'scores': 's', 'labels': 'l'}, part


def _normal(content: bytes, part: str, name: str = 'n.npy', **options):
  return {name: content}, {'normal': name, **options}, part


def _huge_header() -> bytes:
  content = npy(SCORES)
  return content.replace(b'(6,)', b'(6000000000000,)', 1).replace(
    b' ' * 12, b'', 1
  )


def _encrypted() -> bytes:
  stream = io.BytesIO()
  with zipfile.ZipFile(stream, 'w') as archive:
    archive.writestr('readme.txt', 'nothing')
  return stream.getvalue()


_S, _L = npy(SCORES[:3]), npy(LABELS[:3])
_FLICKER = np.arange(16000) % 2
_HEAD = 'video,frame,score,label'
# {name: (files, options beside --labels=labels.npy, part of the line)}.
WRONG = {
  # The file of scores.
  'nothing': ({}, {'scores': '', 'labels': ''}, 'give a file of scores'),
  'missing': ({}, {'scores': 'x.npy'}, 'x.npy does not exist'),
  'missing csv': ({}, {'scores': 'x.csv'}, 'x.csv does not exist'),
  'address': ({}, {'scores': 'gs://b/x.npy'}, 'an address'),
  'no kind': _one('s.mat', b'x', 'of no kind that is read'),
  'no suffix': _one('s', b'x', 'of no kind that is read'),
  'empty file': _one('s.npy', b'', 'no readable npy'),
  'text as npy': _one('s.npy', b'0.1\n0.2\n', 'no readable npy'),
  'torn': _one('s.npy', npy(SCORES)[:-9], 'no readable npy'),
  'header only': _one('s.npy', npy(SCORES)[:60], 'no readable npy'),
  'huge header': _one('s.npy', _huge_header(), 'no readable npy'),
  'npz as npy': _one('s.npy', npz(score=SCORES), 'it is an npz file'),
  'npy as npz': _one('s.npz', npy(SCORES), 'one bare array'),
  'pickle': _one(
    's.npy',
    npy(np.array([{}, {}, 1, 2, 3, 4], object), allow_pickle=True),
    'no readable npy',
  ),
  'pickle in npz': _one(
    's.npz', npz(score=np.array([None, 1], object)), 'Python objects'
  ),
  'torn npz': _one('s.npz', npz(score=SCORES)[:-30], 'no readable npz'),
  'npz without arrays': _one('s.npz', _encrypted(), 'has no array'),
  'npz of others': _one('s.npz', npz(a=SCORES, b=SCORES), 'but no "score"'),
  'npz twice': _one('s.npz', npz(score=SCORES, scores=SCORES), 'leave one'),
  'npz of labels': _one('s.npz', npz(label=LABELS), 'but no "score"'),
  'npz of two lengths': _one(
    's.npz', npz(score=SCORES, frame=np.arange(5)), '6 values of score, but 5'
  ),
  'no samples': _one('s.npy', npy(np.zeros(0)), 'score is empty'),
  'no row': _one('s.npy', npy(np.zeros((0, 3))), 'score is empty'),
  'scalar': _one('s.npy', npy(np.float64(1)), 'shape []'),
  'matrix': _one('s.npy', npy(np.zeros((3, 2))), 'shape [3, 2]'),
  'text': _one('s.npy', npy(np.array(list('abcdef'))), 'score is text'),
  'complex': _one('s.npy', npy(SCORES + 1j), 'score is complex'),
  'dates': _one('s.npy', npy(np.zeros(6, 'M8[s]')), 'expected numbers'),
  'fields': _one('s.npy', npy(np.zeros(6, [('a', 'f4')])), 'expected numbers'),
  'nan': _one(
    's.npy', npy(np.where(LABELS, np.nan, 1)), '2 of 6 scores are not finite'
  ),
  'infinity': _one('s.npy', npy(np.append(SCORES[1:], np.inf)), 'index 5'),
  'too large': _one('s.npy', npy(SCORES * 1e300), 'too large to compute'),
  'fewer scores': _one('s.npy', npy(SCORES[1:]), '5 scores, but'),
  'no labels': ({}, {'labels': ''}, 'give them with --labels'),
  # The file of labels.
  'labels missing': ({}, {'labels': 'x.npy'}, 'check --labels'),
  'label 2': _label('l.npy', npy(LABELS * 2), 'label 2 at index 1'),
  'label -1': _label('l.npy', npy(LABELS * 2 - 1), 'label -1 at index 0'),
  'label 0.5': _label('l.npy', npy(LABELS / 2), 'label 0.5 at index 1'),
  'label nan': _label(
    'l.npy', npy(LABELS / LABELS.max() * np.nan), 'label nan'
  ),
  'label text': _label('l.npy', npy(np.where(LABELS, 'b', 'a')), 'is text'),
  'label matrix': _label('l.npy', npy(np.zeros((2, 3), int)), 'shape [2, 3]'),
  'label empty': _label('l.npy', npy(np.zeros(0, int)), 'label is empty'),
  'label pickle': _label(
    'l.npy', npy(np.array([[1], [1, 2]], object), allow_pickle=True), 'npy file'
  ),
  'more labels': _label('l.npy', npy(np.append(LABELS, 1)), 'has 7 labels'),
  'labels twice': (
    {'s.npz': npz(score=SCORES, label=LABELS)},
    {'scores': 's.npz'},
    'leave out --labels',
  ),
  # Tables.
  'csv empty': _table(part='t.csv'),
  'csv head alone': _table('score,label', part='t.csv'),
  'csv no score': _table('a,label', '1,0', part='has no column "score"'),
  'csv no head': _table('0.5,1', '0.7,0', part='must be the column names'),
  'csv no label': _table('score', '1', '2', part='has no labels'),
  'csv text': _table('score,label', 'high,1', '1,0', part='"high" at line 2'),
  'csv gap': _table('score,label', '1,0', ',1', part='line 3'),
  'csv label 3': _table('score,label', '1,0', '2,3', part='label 3 at line 3'),
  'csv label gap': _table('score,label', '1,0', '2,', part='line 3'),
  'csv short row': _table('score,label', '1,0', '2', part='t.csv'),
  'csv twice': _table('score,score,label', '1,1,0', part='t.csv'),
  'csv no name': _table(_HEAD, ',0,1,0', 'a,1,1,0', part='line 2 has no name'),
  'csv same frame': _table(
    _HEAD, 'a,0,1,0', 'a,0,2,1', part='frame 0 of video "a" has several scores'
  ),
  'csv frame -1': _table(_HEAD, 'a,-1,1,0', part='frame -1'),
  'csv frame 0.5': _table(_HEAD, 'a,0.5,1,0', part='frame 0.5'),
  'csv far frame': _table(_HEAD, 'a,99999999999,1,0', part='below 10,000,000'),
  'csv binary': _one('t.csv', b'\x00\x01\x02' * 9, 't.csv'),
  'csv torn gz': _one(
    't.csv.gz', gzip.compress(csv('score', '1'), mtime=0)[:-6], 'gz'
  ),
  'other frames': (
    {
      's.csv': csv('video,frame,score', 'a,0,1', 'a,5,2'),
      'l.csv': csv('video,frame,label', 'a,0,1', 'a,1,0'),
    },
    {'scores': 's.csv', 'labels': 'l.csv'},
    'frame 5 (from 0) of video "a" has a score, but no label',
  ),
  'label twice': (
    {
      's.csv': csv('video,frame,score', 'a,0,1', 'a,1,2'),
      'l.csv': csv('video,frame,label', 'a,0,1', 'a,0,0'),
    },
    {'scores': 's.csv', 'labels': 'l.csv'},
    'several labels',
  ),
  'too many videos': _one(
    't.npz',
    npz(score=np.zeros(6000), label=np.arange(6000) % 2, video=np.arange(6000)),
    'not of a frame',
    labels='',
  ),
  'flickering labels': (
    {
      's.npz': npz(score=_FLICKER, label=_FLICKER, frame=np.arange(16000)),
      'n.npy': npy([0.0, 0.5]),
    },
    {'scores': 's.npz', 'labels': '', 'normal': 'n.npy'},
    'are the frames of a video in their order?',
  ),
  # Lengths of videos.
  'lengths short': _lengths('2,3', '2 videos of 5 frames together'),
  'length 0': _lengths('0,6', 'length of video "1" is 0'),
  'lengths no file': _lengths('lengths.txt', 'does not exist'),
  'lengths -2': _lengths('-2,8', 'does not exist'),
  'lengths text': _lengths('n.txt', 'no list of lengths', **{'n.txt': b'a b'}),
  'lengths float': _lengths(
    'n.npy', 'whole numbers', **{'n.npy': npy(np.array([2.5, 3.5]))}
  ),
  'lengths json': _lengths('n.json', 'no readable', **{'n.json': b'{"a": '}),
  'lengths json text': _lengths(
    'n.json', 'is six', **{'n.json': json.dumps({'a': 'six'}).encode()}
  ),
  'lengths json bool': _lengths(
    'n.json', 'is True', **{'n.json': b'[true, 5]'}
  ),
  'lengths json empty': _lengths('n.json', 'no length', **{'n.json': b'[]'}),
  'lengths huge': _lengths('9' * 40, 'whole numbers from 1'),
  'lengths and videos': (
    {'s.npz': npz(score=SCORES, video=np.array(list('aabbcc')))},
    {'scores': 's.npz', 'video_lengths': '3,3'},
    'leave out --video-lengths',
  ),
  # Folders.
  'empty folder': ({'s/readme.md': b''}, {'scores': 's'}, 'has no npy, npz'),
  'no partner': _folders(
    {'a.npy': _S, 'b.npy': _S}, {'a.npy': _L}, 'video "b" of s is not in l'
  ),
  'no scores': _folders(
    {'a.npy': _S}, {'a.npy': _L, 'c.npy': _L}, 'video "c" of l is not in s'
  ),
  'other names': _folders(
    {'01.npy': _S}, {'1.npy': _L}, 'video "01" of s is not in l'
  ),
  'shorter video': _folders(
    {'a.npy': _S}, {'a.npy': npy(LABELS[:2])}, 'has 3 scores in s, but 2 labels'
  ),
  'two files': _folders(
    {'a.npy': _S, 'a.csv': csv('score', '1')}, {'a.npy': _L}, 'two files of'
  ),
  'unequal files': _folders(
    {'a.npy': _S, 'b.csv': csv('score,frame', '1,0')},
    {'a.npy': _L, 'b.npy': _L},
    'give all files of a folder alike',
  ),
  'damaged in folder': _folders(
    {'a.npy': _S, 'b.npy': b'x'}, {'a.npy': _L, 'b.npy': _L}, 's/b.npy'
  ),
  'nan in folder': _folders(
    {'a.npy': _S, 'b.npy': npy([np.nan])}, {'a.npy': _L, 'b.npy': _L}, 's/b.npy'
  ),
  'video in folder': _folders(
    {'a.csv': csv('video,score', 'b,1')}, {'a.npy': _L}, 'column "video"'
  ),
  # Validation normals, options, output.
  'normal missing': ({}, {'normal': 'n.npy'}, 'check --normal'),
  'normal nan': _normal(npy([1.0, np.nan]), '1 of 2 scores'),
  'normal empty': _normal(npy(np.zeros(0)), 'score is empty'),
  'normal labelled': _normal(
    csv('score,label', '1,0', '2,1'), 'labelled anomalous', 'n.csv'
  ),
  'normal lengths': _normal(
    _S, '--normal-video-lengths has 1', normal_video_lengths='2'
  ),
  'lengths of none': ({}, {'normal_video_lengths': '2'}, 'give both'),
  'normal alone': _normal(_S, 'no scores to be judged', scores=''),
  'rate of none': ({}, {'frame_rate': 25.0}, 'is for videos'),
  'no output': ({}, {'output': ''}, '--output is missing'),
  'output a file': ({'out': b'x'}, {}, 'out is no folder'),
  'output of a run': ({'out/results.json': b'{"config": {}}'}, {}, 'stays'),
  'output of others': (
    {'out/results.json': b'{"kind": "referee", "inputs": {"scores": "x"}}'},
    {},
    'results of other scores',
  ),
  'page of others': ({'out/report.html': b'mine'}, {}, 'of something else'),
}
