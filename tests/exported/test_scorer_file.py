"""Files of scorers that are damaged, foreign or old: refused in one line."""

import io
import json
import pathlib
import re
import zipfile

import jax
import numpy as np
import pytest

from memae_jax import export, scorer
from memae_jax.exported import expiry, scorer_file
from memae_jax.runtime import errors
from tests import exports, mutants

_FILES = pathlib.Path(__file__).parent / 'files'  # Of earlier versions.


def _with_meta(path, **changes):
  members = exports.members(path)
  meta = json.loads(members[scorer_file.META]) | changes
  return exports.archive(members | {scorer_file.META: json.dumps(meta)})


def _flipped(path, part=0.5):
  content = bytearray(path.read_bytes())
  content[int(len(content) * part)] ^= 1
  return bytes(content)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (lambda p: b'', 'damaged'),
    (lambda p: b'not a scorer', 'damaged'),
    (lambda p: p.read_bytes()[:-100], 'damaged'),
    (lambda p: p.read_bytes()[:2000], 'damaged'),
    (_flipped, 'damaged'),
    (lambda p: exports.archive({'a.npy': b'1'}), 'other members'),
    (
      lambda p: exports.archive(exports.members(p) | {'../x': b''}),
      'other members',
    ),
    (
      lambda p: exports.archive(exports.members(p), zipfile.ZIP_DEFLATED),
      'compressed',
    ),
    (
      lambda p: exports.archive(
        exports.members(p) | {scorer_file.PROGRAM: b'other'}
      ),
      'sha256 of the program',
    ),
    (
      lambda p: exports.archive(exports.members(p) | {scorer_file.META: b'[]'}),
      'damaged',
    ),
    (
      lambda p: exports.archive(
        exports.members(p) | {scorer_file.META: b'[' * 9**6}
      ),
      'damaged',
    ),
    (lambda p: _with_meta(p, format='zip'), "its format is 'zip'"),
    (lambda p: _with_meta(p, version=1), 'has version 1 .* export the run'),
    (lambda p: _with_meta(p, input={}), 'damaged'),
    (lambda p: _with_meta(p, blocks={'default': 0}), 'not sound'),
    (lambda p: _with_meta(p, threshold='high'), "threshold is 'high'"),
    (lambda p: _with_meta(p, threshold=np.nan), 'threshold is nan'),
    (lambda p: _with_meta(p, threshold=None), 'threshold is None'),
    (lambda p: _with_meta(p, jax=['0.10']), '"jax" is no line of text'),
    (lambda p: _with_meta(p, readable_until='a\nb'), '"readable_until" is no'),
  ],
)
def test_files_that_are_refused(scorer_of, tmp_path, change, message):
  path = tmp_path / 'bad.scorer'
  path.write_bytes(change(scorer_of('dense')[0]))
  exports.refused(message, scorer.load, path)


def _changed_bytes(rng, content):
  """Cut short, or with some bytes changed, left out or put in."""
  at = rng.integers(len(content))
  part = rng.bytes(rng.integers(1, 20))
  return [
    content[:at],
    content[:at] + part + content[at + len(part) :],
    content[:at] + part + content[at:],
    content[:at] + content[at + len(part) :],
  ][rng.integers(4)]


def test_mutants_of_a_file_are_refused_or_are_the_same(scorer_of, tmp_path):
  content, rng = scorer_of('dense')[0].read_bytes(), np.random.default_rng(0)
  path, want = tmp_path / 'mutant.scorer', scorer_of('dense')[1].meta
  for _ in range(mutants.COUNT):
    path.write_bytes(_changed_bytes(rng, content))
    try:
      assert scorer.load(path).meta == want
    except errors.UserError as error:
      assert 'mutant.scorer' in str(error) and '\n' not in str(error)


def _changed_meta(rng, node):
  """One value somewhere in JSON replaced by something else, or left out."""
  keys = list(node) if isinstance(node, dict) else list(range(len(node)))
  key = keys[rng.integers(len(keys))]
  if isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.7:
    _changed_meta(rng, node[key])
  elif rng.random() < 0.2:
    del node[key]
  else:
    strange = [None, -1, 2**70, 0.5, 'x', [], {}, [[]], True, float('nan')]
    node[key] = strange[rng.integers(len(strange))]


def test_mutants_of_what_a_file_says_never_end_in_a_traceback(
  scored_run, scorer_of, tmp_path
):
  path, rng = tmp_path / 'mutant.scorer', np.random.default_rng(0)
  members = exports.members(scorer_of('table')[0])
  exp, stored, _ = scored_run('table')
  own = stored['memae']
  x = exports.raw(exp, own.sample[:3])
  scored = 0
  for _ in range(mutants.COUNT):
    meta = json.loads(members[scorer_file.META])
    read = {key: meta[key] for key in ('input', 'threshold', 'blocks')}
    _changed_meta(rng, read)
    meta |= read
    path.write_bytes(
      exports.archive(members | {scorer_file.META: json.dumps(meta)})
    )
    try:
      mutant = scorer.load(path)
      if scored < 20:  # Each compiles.
        assert mutant.flag(x).shape == (3,)
      scored += 1
    except errors.UserError as error:
      assert '\n' not in str(error)
  assert 0 < scored < mutants.COUNT


def test_programs_that_are_refused(scorer_of, tmp_path):
  good, other = scorer_of('dense')[0], scorer_of('images')[0]
  path = tmp_path / 'bad.scorer'
  meta = json.loads(exports.members(good)[scorer_file.META])
  members = exports.members(good)
  del members[scorer_file.META]
  broken = members | {scorer_file.PROGRAM: b'no program'}
  export.write(path, broken, meta)
  now = re.escape(jax.__version__)
  exports.refused(
    f'was written by jax {now}, readable by that JAX and later ones released'
    f' until .*; jax {now} cannot read it .* rebuild it: python -m'
    f' memae_jax.export --refresh={path}, or score with jax {now}$',
    scorer.load,
    path,
  )
  meta['input']['shape'] = [9, 8, 1]
  other = exports.members(other)[scorer_file.PROGRAM]
  export.write(path, members | {scorer_file.PROGRAM: other}, meta)
  exports.refused('something else than its meta.json says', scorer.load, path)
  meta['input']['shape'] = [8, 8, 1]
  fewer = io.BytesIO()
  np.savez(fewer, other=np.zeros(3, np.float32))
  for weights, message in (
    (fewer.getvalue(), 'something else than its meta.json says'),
    (b'no weights', 'its weights cannot be read'),
  ):
    export.write(path, members | {scorer_file.WEIGHTS: weights}, meta)
    exports.refused(message, scorer.load, path)
  exports.refused('is not a file', scorer.load, tmp_path)
  exports.refused('is not a file', scorer.load, tmp_path / 'nowhere')


def test_files_that_do_not_say_until_when_they_can_be_read(scorer_of, tmp_path):
  path, found = scorer_of('dense')
  members = exports.members(path)
  meta = json.loads(members[scorer_file.META])
  for key in 'jax', 'exported', 'readable_until':
    del meta[key]
  early = tmp_path / 'early.scorer'
  early.write_bytes(
    exports.archive(members | {scorer_file.META: json.dumps(meta)})
  )
  x = np.zeros((2, 8, 8, 1), np.uint8)
  np.testing.assert_array_equal(scorer.load(early).score(x), found.score(x))
  del members[scorer_file.META]
  members[scorer_file.PROGRAM] = b'no program'
  export.write(early, members, meta)
  now = re.escape(jax.__version__)
  exports.refused(f'jax {now}, readable until unknown;', scorer.load, early)
  meta['environment'] = ['other']
  export.write(early, members, meta)
  exports.refused(
    'jax of an unknown version, .* rebuild it', scorer.load, early
  )


def test_a_program_that_has_expired(scorer_of, monkeypatch):
  """In the words of jax 0.12."""

  def expired(_):
    raise ValueError(
      'Exported being deserialized seems to be older than the 6-month'
      ' backward-compatibility window and cannot be deserialized anymore.'
    )

  monkeypatch.setattr(jax.export, 'deserialize', expired)
  exports.refused(
    r'cannot read it \(it has expired\); rebuild it: python -m memae_jax.ex',
    scorer.load,
    scorer_of('dense')[0],
  )


# What the versions that wrote the files gave for the same samples.
_SCORES = 0.3883104622364044, 0.525707483291626


def _samples():
  x = 2 * np.arange(128) % 256
  return x.astype(np.uint8).reshape(2, 8, 8, 1)


@pytest.mark.parametrize('version', [2, 3])
def test_files_of_earlier_versions(version):
  path = _FILES / f'version{version}.scorer'
  try:
    found = scorer.load(path)
  except errors.UserError as error:  # By a JAX of later than their months.
    assert expiry.parts(jax.__version__) > (0, 12, 0)
    assert 'cannot read it' in str(error)
    return
  assert found.meta['version'] == version
  np.testing.assert_allclose(found.score(_samples()), _SCORES, rtol=1e-6)


def test_an_earlier_file_with_weights_is_rebuilt(tmp_path):
  path = tmp_path / 'new.scorer'
  export.refresh(_FILES / 'version3.scorer', path)
  found = scorer.load(path)
  assert found.meta['jax'] == jax.__version__
  np.testing.assert_allclose(found.score(_samples()), _SCORES, rtol=1e-6)
