"""Tables of labels as people write them, beside pandas' reading."""

import io

import numpy as np
import pandas as pd
import pytest

from memae_jax.data.videos import label_tables, video_labels
from memae_jax.runtime import errors

NAMES, LENGTHS = ('01', '02'), (12, 3)
WANT = [[0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 1]]


def _frame(**columns):
  """Returns the table that all others vary, in the order of the frames."""
  rows = [(v, i) for v, n in zip(NAMES, LENGTHS) for i in range(n)]
  videos, frames = zip(*rows)
  return pd.DataFrame(
    {'video': videos, 'frame': frames, 'label': sum(WANT, []), **columns}
  )


def _named(pattern):
  table = _frame()
  return table.assign(frame=[pattern.format(i) for i in table['frame']])


def _text_order(table):
  return table.assign(frame=table['frame'].astype(str)).sort_values(
    ['video', 'frame']
  )


FLAT = _frame()[['label']]
TABLES = {
  'plain': _frame(),
  'no frame': _frame().drop(columns='frame'),
  'columns in any order': _frame()[['label', 'frame', 'video']],
  'other columns': _frame(note='x', weight=0.5),
  'text order': _text_order(_frame()),
  'reversed': _frame()[::-1],
  'shuffled': _frame().sample(frac=1, random_state=0),
  'by frame, not by video': _frame().sort_values('frame', kind='stable'),
  'from one': _frame(frame=_frame()['frame'] + 1)[::-1],
  'of a longer film': _frame(frame=_frame()['frame'] + 300)[::-1],
  'counted over all': _frame(frame=range(15))[::-1],
  'every fifth': _frame(frame=_frame()['frame'] * 5)[::-1],
  'floats': _frame(frame=_frame()['frame'].astype(float))[::-1],
  'picture names': _text_order(_named('{}.png')),
  'padded names': _named('frame_{:04d}.jpg')[::-1],
  'names without ending': _named('frame{}')[::-1],
  'times of day': _frame(
    frame=[f'12-{i // 2}-{i % 2}.png' for i in _frame()['frame']]
  )[::-1],
  'places': _named('/data/v1/{:03d}.tif')[::-1],
  'places of Windows': _named('C:\\data 2\\{:03d}.BMP')[::-1],
  'float labels': _frame().astype({'label': float}),
  'booleans': _frame().astype({'label': bool}),
  'words': _frame().replace({'label': {0: 'normal', 1: 'Anomalous'}}),
  'abnormal': _frame().replace({'label': {0: 'Normal', 1: 'abnormal'}}),
  'yes and no': _frame().replace({'label': {0: 'no', 1: 'YES'}}),
  'letter case': _frame().rename(columns=str.upper),
  'blanks in names': _frame().rename(columns=lambda name: f' {name} '),
  'gt': _frame().rename(columns={'label': 'gt'}),
  'anomaly': _frame().rename(columns={'label': 'is_anomaly'}),
  'a class beside it': _frame(anomaly='car'),
  'other names': _frame().rename(
    columns={'video': 'video_name', 'frame': 'frame_id'}
  ),
  'videos without zeros': _frame().astype({'video': int}),
  'videos with endings': _frame(video=_frame()['video'] + '.avi'),
  'videos with places': _frame(video='test/' + _frame()['video'] + '.mp4'),
  'labels alone, of all videos': FLAT,
  'frames of all videos': _frame(frame=range(15))[::-1].drop(columns='video'),
  'videos as folders': _frame(
    frame=[f'{v}/{i}.png' for v, i in zip(_frame()['video'], _frame()['frame'])]
  )[::-1].drop(columns='video'),
}


def _check(path, content):
  path.write_bytes(content)
  labels = video_labels.read(path, NAMES, LENGTHS)
  assert [of_video.tolist() for of_video in labels] == WANT


@pytest.mark.parametrize('name', TABLES)
def test_tables(tmp_path, name):
  _check(tmp_path / 'a.csv', TABLES[name].to_csv(index=False).encode())


WRITTEN = {
  'semicolons': lambda table: table.to_csv(sep=';', index=False),
  'decimal comma': lambda table: table.astype({'label': float}).to_csv(
    sep=';', decimal=',', index=False
  ),
  'tabs': lambda table: table.to_csv(sep='\t', index=False),
  'bars': lambda table: table.to_csv(sep='|', index=False),
  'lines of Windows': lambda table: table.to_csv(
    index=False, lineterminator='\r\n'
  ),
  'lines of old Macs': lambda table: table.to_csv(
    index=False, lineterminator='\r'
  ),
  'all quoted': lambda table: table.to_csv(index=False, quoting=1),
  'index of pandas': lambda table: table.to_csv(),
  'blanks': lambda table: table.to_csv(index=False).replace(',', ' , '),
  'empty lines': lambda table: '\n' + table.to_csv(index=False) + '\n,,\n\n',
  'a comma too many': lambda table: table.to_csv(index=False).replace(
    '\n', ',\n'
  ),
  'mark of Excel': lambda table: 'sep=;\n' + table.to_csv(sep=';', index=False),
  'no last line end': lambda table: table.to_csv(index=False).rstrip(),
  'no first row': lambda table: table.to_csv(
    index=False, header=False, columns=['label']
  ),
}


@pytest.mark.parametrize('name', WRITTEN)
def test_ways_of_writing(tmp_path, name):
  _check(tmp_path / 'a.csv', WRITTEN[name](_frame()).encode())


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'cp1252'])
def test_encodings(tmp_path, encoding):
  table = _frame(video=['Tür'] * 12 + ['Tor'] * 3)
  path = tmp_path / 'a.CSV'
  path.write_bytes(table.to_csv(index=False).encode(encoding))
  labels = video_labels.read(path, ('Tür', 'Tor'), LENGTHS)
  assert [of_video.tolist() for of_video in labels] == WANT
  with pytest.raises(errors.UserError, match='no test video "T.?.?r"'):
    video_labels.read(path, ('Türe', 'Tor'), LENGTHS)


def test_packed(tmp_path):
  _frame()[::-1].to_csv(tmp_path / 'a.csv.gz', index=False)
  labels = video_labels.read(tmp_path / 'a.csv.gz', NAMES, LENGTHS)
  assert [of_video.tolist() for of_video in labels] == WANT


def test_one_video(tmp_path):
  """Tables of one video each need no column of videos, nor its exact name."""
  for number, labels in enumerate(WANT, 1):
    table = pd.DataFrame({'image': [f'{i}.png' for i in range(len(labels))]})
    table['Anomaly'] = labels
    table.sort_values('image').to_csv(tmp_path / f'{number}_label.csv')
  labels = video_labels.read(tmp_path, NAMES, LENGTHS)
  assert [of_video.tolist() for of_video in labels] == WANT
  file = tmp_path / '1_label.csv'
  assert video_labels.read(file, ['x'], [12])[0].tolist() == WANT[0]
  np.save(tmp_path / '1_label.npy', WANT[0])
  with pytest.raises(errors.UserError, match='1_label" twice, by 1_label.csv'):
    video_labels.read(tmp_path, NAMES, LENGTHS)


def _lines(change):
  lines = _frame().to_csv(index=False).splitlines()
  return '\n'.join(change(lines))


REFUSED = {
  'twice': (
    _lines(lambda lines: [*lines[:4], lines[3], *lines[5:]]),
    'line 5: frame "2" of video "01" was in line 4 already',
  ),
  'twice, padded': (
    _named('{}.png').replace('2.png', '03.png').to_csv(index=False),
    'line 5: frame "3.png" of video "01" was in line 4 already',
  ),
  'a gap': (
    _frame().replace({'frame': {11: 12}}).to_csv(index=False),
    'after frame "10" of video "01" comes "12"',
  ),
  'a row missing': (
    _lines(lambda lines: lines[:4] + lines[5:]),
    'has 11 labels for video "01", which has 12 frames',
  ),
  'a row too many': (
    _lines(lambda lines: [*lines, '02,3,0']),
    'has 4 labels for video "02", which has 3 frames',
  ),
  'half a frame': (
    _frame().replace({'frame': {3: 3.5}}).to_csv(index=False),
    'line 5: the frame is "3.5"; expected a whole number',
  ),
  'another name': (
    _frame().to_csv(index=False).replace('01,10,', '01,1-0,'),
    'line 12: frame "1-0" of video "01" is not named like the others',
  ),
  'below zero': (
    _frame(frame=_frame()['frame'] - 1).to_csv(index=False),
    'line 2: the frame is "-1"',
  ),
  'no video of two': (
    _frame().drop(columns='video').to_csv(index=False),
    'line 14: frame "0" .there is no column "video". was in line 2 already',
  ),
  'a label missing': (
    _lines(lambda lines: [*lines[:3], '01,2,', *lines[4:]]),
    'line 4: the label is ""',
  ),
  'a cell missing': (
    _lines(lambda lines: [*lines[:3], '01,2', *lines[4:]]),
    'line 4 has 2 cells, but the first row has 3',
  ),
  'not a number': (
    _frame().astype({'label': float}).to_csv(index=False).replace('1.0', 'nan'),
    'frame 2 is nan; expected 0 or 1',
  ),
  'no first row': (
    _frame().to_csv(index=False, header=False),
    'no column "label"',
  ),
  'the other way round': (
    _frame().rename(columns={'label': 'normal'}).to_csv(index=False),
    'no column "label"',
  ),
  'two labels': (
    _frame(Label=0).to_csv(index=False),
    'two columns have the name "label"',
  ),
  'some videos without zeros': (
    _frame().replace({'video': {'01': '1'}}).to_csv(index=False) + '01,0,1\n',
    'line 2: there is no test video "1"',
  ),
  'frames by an unknown name': (
    _text_order(_frame()).rename(columns={'frame': 'n'}).to_csv(index=False),
    'rows are not in the order of column "n".*name it "frame"',
  ),
  'an index in another order': (
    _frame().drop(columns='frame')[::-1].to_csv(),
    'rows are not in the order of column ""',
  ),
  'a quote': (
    _frame().to_csv(index=False) + '"02,1,0\n',
    'no readable csv .unexpected end of data.*; replace',
  ),
  'nothing': ('', 'no readable csv .it is empty'),
  'a long cell': (
    _frame().to_csv(index=False).replace('01,3', '01,' + '3' * 5000),
    'line 5: a cell has more than 300 letters',
  ),
}


@pytest.mark.parametrize('name', REFUSED)
def test_refused(tmp_path, name):
  text, match = REFUSED[name]
  path = tmp_path / 'a.csv'
  path.write_text(text)
  with pytest.raises(errors.UserError, match=match) as caught:
    video_labels.read(path, NAMES, LENGTHS)
  assert str(caught.value).startswith(str(path))
  assert '\n' not in str(caught.value) and len(str(caught.value)) < 300


def test_as_pandas(tmp_path):
  """Random tables with shuffled rows and another column read as in pandas."""
  rng = np.random.default_rng(0)
  names, path = ('a', 'b 2', 'ö'), tmp_path / 'a.csv'
  for _ in range(20):
    lengths = rng.integers(1, 30, 3)
    table = pd.DataFrame(
      {
        'video': np.repeat(names, lengths),
        'frame': np.concatenate([np.arange(n) for n in lengths]),
        'label': rng.integers(0, 2, lengths.sum()),
        'note': rng.choice(['x,y', 'say "so"', ''], lengths.sum()),
      }
    ).sample(frac=1, random_state=int(rng.integers(2**31)))
    table.to_csv(path, index=False)
    read = pd.read_csv(io.BytesIO(path.read_bytes())).sort_values('frame')
    for labels, (_, want) in zip(
      label_tables.read(path, names, lengths), read.groupby('video')
    ):
      np.testing.assert_array_equal(labels, want['label'])
