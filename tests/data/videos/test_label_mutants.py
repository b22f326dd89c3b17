"""Damaged and changed files of labels: refused in one line, or read right."""

import gzip
import hashlib
import io
import itertools
import os
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import scipy.io

from memae_jax.data.prepare.builders import cifar10, kddcup99, mnist, raw
from memae_jax.data.videos import video_labels
from memae_jax.runtime import child, errors
from tests import fakes

MUTANTS = 2000 if os.environ.get('MEMAE_TEST_THOROUGH') == '1' else 150
NAMES, LENGTHS = ('01', '02', '03'), (30, 25, 12)
SPANS = [[(3, 9), (15, 15)], [], [(1, 12)]]


def _marked(spans):
  """Returns the labels of spans; None if a frame is beyond its video."""
  labels = [[0] * length for length in LENGTHS]
  for video, video_spans in zip(labels, spans):
    for first, last in video_spans:
      if not 1 <= first <= last <= len(video):
        return None
      for frame in range(first, last + 1):
        video[frame - 1] = 1
  return labels


WANT = _marked(SPANS)


def _script():
  lines = ['% Spans of Größe: first and last.', 'TestVideoFile = {};']
  for spans in SPANS:
    text = ', '.join(f'{first}:{last}' for first, last in spans)
    lines.append(f'TestVideoFile{{end+1}}.gt_frame = [{text}];')
  return '\n'.join(lines).encode()


def _mat(packed):
  cells = np.empty((1, 3), object)
  for i, spans in enumerate(SPANS):
    cells[0, i] = np.array(spans, float).reshape(-1, 2).T
  file = io.BytesIO()
  scipy.io.savemat(file, {'gt': cells}, do_compression=packed)
  return file.getvalue()


def _npy():
  file = io.BytesIO()
  np.save(file, np.array(sum(WANT, []), np.uint8))
  return file.getvalue()


def _table():
  rows = [
    (name, frame, label)
    for name, labels in zip(NAMES, WANT)
    for frame, label in enumerate(labels)
  ]
  table = pd.DataFrame(rows, columns=['video', 'frame', 'label'])
  return table.sample(frac=1, random_state=0).to_csv(index=False).encode()


FILES = {
  'a.m': _script(),
  'a.mat': _mat(False),
  'b.mat': _mat(True),
  'a.npy': _npy(),
  'a.csv': _table(),
  'a.csv.gz': gzip.compress(_table(), mtime=0),
}


def _damaged(content, rng):
  """Cuts, overwrites, inserts, leaves out or repeats bytes."""
  start, stop = sorted(rng.integers(0, len(content) + 1, 2).tolist())
  short = min(stop, start + int(rng.integers(1, 9)))
  noise = rng.bytes(int(rng.integers(1, 9)))
  one = int(rng.integers(len(content)))
  return (
    content[:stop],
    content[:one] + bytes([content[one] ^ 1 << rng.integers(8)])
    + content[one + 1 :],
    content[:start] + noise + content[start + len(noise) :],
    content[:start] + noise + content[start:],
    content[:start] + content[short:],
    content[:stop] + content[start:],
    rng.bytes(len(content) // 4),
  )[rng.integers(7)]  # fmt: skip


def _read(path, content):
  """Returns the labels of each video; None: they are refused in one line."""
  path.write_bytes(content)
  try:
    labels = video_labels.read(path, NAMES, LENGTHS)
  except errors.UserError as error:
    text = str(error)
    assert '\n' not in text and path.name in text and len(text) < 500
    text.encode()
    return None
  return [of_video.tolist() for of_video in labels]


def _by_scipy(path):
  """Reads the spans with SciPy alone, in a child process."""
  cells = child.call(scipy.io.loadmat, (str(path),), 60)['gt'].ravel()
  return _marked([[] if not c.size else c.T.astype(int) for c in cells])


def _by_numpy(path):
  flat = np.load(path).ravel().tolist()
  counts = iter(flat)
  return [list(itertools.islice(counts, length)) for length in LENGTHS]


def _by_pandas(path):
  table = pd.read_csv(path, dtype={'video': str}).sort_values('frame')
  return [table[table['video'] == n]['label'].tolist() for n in NAMES]


@pytest.mark.parametrize('name', FILES)
def test_damaged_files(tmp_path, name):
  """Damaged files are refused, or read as another reader reads them."""
  rng, path = np.random.default_rng(0), tmp_path / name
  others = {'mat': _by_scipy, 'npy': _by_numpy}
  assert _read(path, FILES[name]) == WANT
  kept, count = 0, MUTANTS // (1 + name.endswith(('.mat', '.gz')))
  for _ in range(count):
    labels = _read(path, _damaged(FILES[name], rng))
    other = others.get(name.rpartition('.')[2])
    if labels not in (None, WANT) and other:
      assert labels == other(path)
    kept += labels == WANT
  assert kept < count / 2


def _reformed(content, rng):
  """Changes line ends or encoding, adds empty lines, or cuts the file."""
  text = content.decode()
  return (
    lambda: text.replace('\n', '\r\n').encode(),
    lambda: text.encode('utf-16'),
    lambda: text.encode('utf-8-sig'),
    lambda: text.encode('latin-1'),
    lambda: content[: rng.integers(len(content))],
    lambda: content[: -rng.integers(1, 9)],
    lambda: content + b'\n\n',
  )[rng.integers(7)]()


def _reformed_script(content, rng):
  if rng.random() < 0.4:
    return _reformed(content, rng)
  text = content.decode()
  blanks = lambda match: (
    ' ' * rng.integers(3) + match[0] + ' ' * rng.integers(2)
  )
  return (
    lambda: re.sub('[:,={]', blanks, text),
    lambda: text.replace(', ', rng.choice([' ', ',', ' ...\n', '], [']))
    .replace('[', '[[').replace(']', ']]'),
    lambda: text.replace(';\n', rng.choice([',', '\n', ';;', '; % [9:12]\n'])),
    lambda: text.replace('end+1', ' 1 + end'),
    lambda: text.replace('9', '(18/2)').replace('15', '1.5e1'),
    lambda: text.replace('\n', '\n%{\nTestVideoFile = 5;\n%}\n'),
  )[rng.integers(6)]().encode()  # fmt: skip


def _reformed_table(content, rng):
  if rng.random() < 0.4:
    return _reformed(content, rng)
  header, *rows = content.decode().splitlines()
  order = rng.permutation(len(rows))
  text = '\n'.join([header, *(rows[at] for at in order)])
  at = rng.integers(len(text))
  return (
    lambda: text,
    lambda: text.replace(',', rng.choice([';', '\t', '|', ', '])),
    lambda: text[:at] + rng.choice([',', '"', '\n', ';', ' ', '\x00'])
    + text[at:],
    lambda: text.replace('0\n', '0.0\n').replace('1\n', 'true\n'),
    lambda: re.sub(r',(\d+),', r',frame_\1.png,', text),
    lambda: re.sub(r'\b0(\d),', r'\1,', text),
    lambda: text[:at] + text[at + 1 :],
  )[rng.integers(7)]().encode()  # fmt: skip


@pytest.mark.parametrize(
  ('name', 'change', 'least'),
  [('a.m', _reformed_script, 0.7), ('a.csv', _reformed_table, 0.4)],
)
def test_other_forms_of_the_same(tmp_path, name, change, least):
  """Changes of form are refused, or give the same labels."""
  rng, kept = np.random.default_rng(1), 0
  for _ in range(MUTANTS):
    content = change(FILES[name], rng)
    labels = _read(tmp_path / name, content)
    assert labels in (None, WANT), content
    kept += labels == WANT
  assert kept > least * MUTANTS


def _other_digit(content, rng):
  at = rng.choice([m.start() for m in re.finditer(rb'\d', content)])
  return content[:at] + b'%d' % rng.integers(10) + content[at + 1 :]


def test_other_numbers_in_a_script(tmp_path):
  rng, read = np.random.default_rng(2), 0
  for _ in range(MUTANTS):
    content = re.sub(
      rb'\[.*?\]', lambda m: _other_digit(m[0] + b'%1', rng)[:-2], FILES['a.m']
    )
    text = re.sub(r'%.*', '', content.decode())
    spans = [
      [(int(a), int(b or a)) for a, b in re.findall(r'(\d+)(?::(\d+))?', part)]
      for part in re.findall(r'\[(.*?)\]', text)
    ]
    # In MATLAB, a span that ends before it begins has no frames.
    want = _marked([[s for s in part if s[0] <= s[1]] for part in spans])
    if any(0 in span for part in spans for span in part):
      continue
    assert _read(tmp_path / 'a.m', content) == want
    read += want is not None
  assert read > MUTANTS / 9


def test_other_numbers_in_a_table(tmp_path):
  rng, read = np.random.default_rng(3), 0
  for _ in range(MUTANTS):
    labels = _read(tmp_path / 'a.csv', _other_digit(FILES['a.csv'], rng))
    if labels is not None:
      read += 1
      assert labels == _by_pandas(tmp_path / 'a.csv')
  assert read > MUTANTS / 20


@pytest.fixture
def published(tmp_path, monkeypatch):
  """Small files that pass as published, and the function that reads each."""
  name = 'train-labels-idx1-ubyte'
  labels = np.arange(40, dtype=np.uint8) % 10
  content = fakes.idx(labels)
  monkeypatch.setitem(mnist.SHA256, name, hashlib.sha256(content).hexdigest())
  monkeypatch.setattr(raw, 'LIMIT', 10**6)
  pixels = np.random.default_rng(0).integers(0, 256, (10, 3072), np.uint8)
  batch = {'data': pixels, 'labels': list(range(10))}
  monkeypatch.setitem(cifar10.COUNTS, 'test_batch', (1,) * 10)

  def idx():
    return mnist.read(tmp_path, name, (40,)).tolist()

  def gz():
    path = tmp_path / kddcup99.FILES[0]
    unpacked = raw.unpacked(path, 'URL')
    raw.check(
      unpacked, 'sha256', hashlib.sha256(content).hexdigest(), path, 'URL'
    )
    return np.frombuffer(unpacked, np.uint8)[8:].tolist()

  def pickled():
    path = tmp_path / 'test_batch'
    images, labels = cifar10.decode(path.read_bytes(), str(path), 'test_batch')
    assert images.shape == (10, 32, 32, 3)  # There is no checksum of it.
    return sorted(labels.tolist()) + [0] * 30

  packed = gzip.compress(content, mtime=0)
  return {
    'idx': (idx, name, content, labels.tolist()),
    'idx.gz': (idx, f'{name}.gz', packed, labels.tolist()),
    'gz': (gz, kddcup99.FILES[0], packed, labels.tolist()),
    'pickle': (pickled, 'test_batch', pickle.dumps(batch, 3),
               [*range(10)] + [0] * 30),
  }  # fmt: skip


@pytest.mark.parametrize('kind', ['idx', 'idx.gz', 'gz', 'pickle'])
def test_published_files(published, tmp_path, kind):
  read, name, content, want = published[kind]
  path, rng = tmp_path / name, np.random.default_rng(0)
  path.write_bytes(content)
  assert read() == want
  for _ in range(MUTANTS):
    path.write_bytes(_damaged(content, rng))
    try:
      assert read() == want
    except errors.UserError as error:
      assert '\n' not in str(error) and str(path) in str(error)


@pytest.mark.parametrize('kind', ['idx.gz', 'gz'])
def test_bombs(published, tmp_path, kind):
  read, name, _, _ = published[kind]
  (tmp_path / name).write_bytes(gzip.compress(bytes(10**7)))
  with pytest.raises(errors.UserError, match='unpacks to more than 1,000,000'):
    read()
  (tmp_path / name).write_bytes(bytes(10**7))
  with pytest.raises(errors.UserError, match='more than 1,000,000 bytes'):
    read()


@pytest.mark.parametrize(
  'content',
  [
    b'\x80\x02}r\xff\xff\xff\xff.',  # A memory of 2**32 entries.
    b'\x80\x04\x8e' + b'\xff' * 7 + b'\x7f.',  # 2**63 bytes.
    b'(' * 10**6,
    b'\x80\x02' + b']' + b'(' * 10**5 + b't' * 10**5 + b'a.',
  ],
)
def test_pickles_that_ask_for_too_much(content):
  with pytest.raises(errors.UserError, match='^a.* fetch http'):
    cifar10.decode(content, 'a', 'test_batch')
