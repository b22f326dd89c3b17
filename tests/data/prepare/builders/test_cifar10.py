"""The publisher's pickles of CIFAR-10 are read, or refused in one line."""

import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from memae_jax.data import prepare
from memae_jax.data.prepare.builders import cifar10, pickles
from memae_jax.runtime import errors
from tests.data.prepare.builders import python2_batches


def test_the_fixture_writes_python_2_pickles(cifar10_files):
  content = (cifar10_files[0] / 'test_batch').read_bytes()
  assert b'cnumpy.core.multiarray\n' in content
  assert b'_codecs' not in content
  batch = pickles.load(content)
  np.testing.assert_array_equal(
    pickles.byte_array(batch[b'data']), cifar10_files[1]['test_batch'][b'data']
  )


@pytest.mark.parametrize('protocol', [3, 4])
def test_pickles_of_python_3(cifar10_files, tmp_path, data_config, protocol):
  folder, batches = cifar10_files
  for name, batch in batches.items():
    text = {key.decode(): value for key, value in batch.items()}
    (folder / name).write_bytes(pickle.dumps(text, protocol))
  prepare.prepare('cifar10', tmp_path / 'sets', folder)
  python2_batches.check(
    python2_batches.load(data_config, tmp_path / 'sets'), batches.values()
  )


def test_the_folder_that_the_archive_unpacks_to(cifar10_files, tmp_path):
  outer = tmp_path / 'outer'
  outer.mkdir()
  cifar10_files[0].rename(outer / cifar10.FOLDER)
  assert prepare.prepare('cifar10', tmp_path / 'sets', outer).is_dir()


def _refused(tmp_path, folder, match):
  with pytest.raises(errors.UserError, match=match) as caught:
    prepare.prepare('cifar10', tmp_path / 'sets', folder)
  assert '\n' not in str(caught.value)
  assert not list((tmp_path / 'sets').glob('cifar10_blocks/*'))


@pytest.mark.parametrize(
  'names', [['test_batch'], ['data_batch_1', 'data_batch_2']]
)
def test_too_few_batches(cifar10_files, tmp_path, names):
  for name in names:
    (cifar10_files[0] / name).unlink()
  _refused(
    tmp_path, cifar10_files[0], 'raw holds neither.*test_batch.*download'
  )


ROWS = np.zeros((12, 3072), np.uint8)
BAD = {
  'too few rows': ({'data': ROWS[:11]}, r'\(11, 3072\), expected \(12, 3072\)'),
  'rows of another length': ({'data': ROWS[:, 1:]}, r'\(12, 3071\)'),
  'floats': ({'data': ROWS.astype(float)}, '"data" is an array of type.*f8'),
  'no array': ({'data': [1, 2]}, '"data" is not an array but list'),
  'too few labels': ({'labels': [0] * 11}, 'has 11 labels, expected 12'),
  'labels of no list': ({'labels': 3}, 'no list of labels'),
  'label too high': ({'labels': [0] * 7 + [10] * 5}, 'row 7 has label 10'),
  'label is text': ({'labels': [b'a'] * 12}, "row 0 has label b'a'"),
  'other classes': ({'labels': [0] * 12}, 'not the published data_batch_1'),
}


@pytest.mark.parametrize('name', BAD)
def test_bad_batches(cifar10_files, tmp_path, name):
  changes, match = BAD[name]
  batch = python2_batches.batch('data_batch_1', **changes)
  (cifar10_files[0] / 'data_batch_1').write_bytes(
    python2_batches.python2(batch)
  )
  _refused(tmp_path, cifar10_files[0], f'data_batch_1 .*{match}')


@pytest.mark.parametrize('key', ['data', 'labels'])
def test_missing_key(cifar10_files, tmp_path, key):
  batch = python2_batches.batch('data_batch_1')
  del batch[key.encode()]
  (cifar10_files[0] / 'data_batch_1').write_bytes(
    python2_batches.python2(batch)
  )
  _refused(
    tmp_path, cifar10_files[0], f'data_batch_1 has no key "{key}".*batch_label'
  )


@pytest.mark.parametrize('content', [b'', b'text\nof two lines', b'\x80\x02K'])
def test_no_pickle(cifar10_files, tmp_path, content):
  (cifar10_files[0] / 'test_batch').write_bytes(content)
  _refused(
    tmp_path, cifar10_files[0], 'test_batch is refused as a pickle of data'
  )


def test_truncated_batch(cifar10_files, tmp_path):
  file = cifar10_files[0] / 'data_batch_2'
  file.write_bytes(file.read_bytes()[:-100])
  _refused(
    tmp_path, cifar10_files[0], 'data_batch_2 is refused.*truncated|ran out'
  )


def test_a_pickled_list(cifar10_files, tmp_path):
  (cifar10_files[0] / 'data_batch_2').write_bytes(pickle.dumps([1, 2]))
  _refused(
    tmp_path, cifar10_files[0], 'data_batch_2 holds list, expected a dictionary'
  )


class Evil:
  """Writes a file as soon as it is unpickled."""

  def __init__(self, path, how):
    self.path, self.how = path, how

  def __reduce__(self):
    if self.how is eval:
      return eval, (f'__import__("os").system("touch {self.path}")',)
    return self.how, (f'touch {self.path}',)


@pytest.mark.parametrize('how', [os.system, eval, subprocess.getoutput])
def test_a_pickle_that_runs_code_is_refused(cifar10_files, tmp_path, how):
  mark = tmp_path / 'mark'
  evil = pickle.dumps(
    python2_batches.batch('data_batch_1', data=Evil(mark, how)), 2
  )
  (cifar10_files[0] / 'data_batch_1').write_bytes(evil)
  _refused(tmp_path, cifar10_files[0], 'data_batch_1 is refused.*it asks for')
  assert not mark.exists()
  pickle.loads(evil)  # It would have worked.
  assert mark.exists()


def _archive(folder, members, monkeypatch, known=True):
  out = io.BytesIO()
  with tarfile.open(fileobj=out, mode='w:gz') as archive:
    for name, content in members.items():
      member = tarfile.TarInfo(name)
      if content is None:
        member.type, member.linkname = tarfile.SYMTYPE, '/etc/passwd'
        archive.addfile(member)
      else:
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
  folder.mkdir()
  (folder / cifar10.ARCHIVE).write_bytes(out.getvalue())
  if known:
    md5 = hashlib.md5(out.getvalue()).hexdigest()
    monkeypatch.setattr(cifar10, 'ARCHIVE_MD5', md5)


def _members(folder, prefix=cifar10.FOLDER):
  return {f'{prefix}/{p.name}': p.read_bytes() for p in folder.iterdir()}


def test_archive(cifar10_files, tmp_path, data_config, monkeypatch):
  members = _members(cifar10_files[0]) | {
    '../outside': b'x',
    '/tmp/outside': b'x',
  }
  _archive(tmp_path / 'packed', members, monkeypatch)
  prepare.prepare('cifar10', tmp_path / 'sets', tmp_path / 'packed')
  python2_batches.check(
    python2_batches.load(data_config, tmp_path / 'sets'),
    cifar10_files[1].values(),
  )
  assert not list(tmp_path.rglob('outside'))
  assert not list(tmp_path.rglob(cifar10.FOLDER))


def test_archive_of_another_checksum(cifar10_files, tmp_path, monkeypatch):
  _archive(
    tmp_path / 'packed', _members(cifar10_files[0]), monkeypatch, known=False
  )
  _refused(tmp_path, tmp_path / 'packed', 'not the published file: md5')


@pytest.mark.parametrize('prefix', ['..', f'../{cifar10.FOLDER}', ''])
def test_archive_with_members_outside(
  cifar10_files, tmp_path, monkeypatch, prefix
):
  _archive(tmp_path / 'packed', _members(cifar10_files[0], prefix), monkeypatch)
  before = sorted(tmp_path.rglob('*_batch*'))
  _refused(tmp_path, tmp_path / 'packed', 'is not an archive with the files')
  assert sorted(tmp_path.rglob('*_batch*')) == before


def test_archive_with_a_link(cifar10_files, tmp_path, monkeypatch):
  members = _members(cifar10_files[0]) | {f'{cifar10.FOLDER}/test_batch': None}
  _archive(tmp_path / 'packed', members, monkeypatch)
  _refused(tmp_path, tmp_path / 'packed', 'is not an archive with the files')


def test_archive_that_is_text(cifar10_files, tmp_path, monkeypatch):
  (cifar10_files[0] / cifar10.ARCHIVE).write_bytes(b'x')
  monkeypatch.setattr(cifar10, 'ARCHIVE_MD5', hashlib.md5(b'x').hexdigest())
  _refused(tmp_path, cifar10_files[0], 'is not an archive with the files')


def test_real_batches(shared, tmp_path):
  folder = shared / 'data/cifar10'
  if not folder.is_dir():
    pytest.skip('no folder shared/data/cifar10 with the real pictures')
  subprocess.run(
    [sys.executable, folder / 'unpack.py', folder, tmp_path],
    check=True,
    capture_output=True,
  )
  facts = json.loads((folder / 'manifest.json').read_text())
  for name, fact in facts.items():
    file = tmp_path / name
    pixels, labels = cifar10.decode(file.read_bytes(), str(file), name)
    rows = np.ascontiguousarray(np.moveaxis(pixels, -1, 1))
    assert rows.shape == (10_000, 3, 32, 32)
    assert _sha256(rows) == fact['sha256_of_rows_uint8_Nx3072']
    assert _sha256(labels) == fact['labels_sha256']


def _sha256(array):
  return hashlib.sha256(array.tobytes()).hexdigest()


def test_published_counts():
  counts = np.array(list(cifar10.COUNTS.values()))
  assert (counts.sum(axis=1) == 10_000).all()
  assert (counts[:5].sum(axis=0) == 5000).all()
