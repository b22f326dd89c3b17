"""Damaged, foreign and vanishing checkpoints are passed over, or named."""

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from memae_jax.runtime import errors
from memae_jax.training import checkpoint, experiment, loop
from tests import helpers


def _flip(path):
  data = bytearray(path.read_bytes())
  for at in range(0, len(data), 256):  # Some bytes of the file are not in use.
    data[at] ^= 0xFF
  path.write_bytes(bytes(data))


def _data_files(folder):
  return sorted(
    (p for p in folder.rglob('*') if p.is_file() and p.stat().st_size),
    key=lambda p: p.stat().st_size,
  )


@pytest.mark.parametrize('damage', ['flip', 'truncate', 'delete'])
def test_a_damaged_newest_checkpoint_is_skipped(tmp_path, damage, caplog):
  exp = experiment.build(helpers.digits(**{'train.keep': 3}))
  expected = jax.device_get(loop.train(exp, tmp_path))
  folder = tmp_path / 'checkpoints'
  newest = folder / str(exp.steps)
  assert newest.is_dir()
  assert (newest / checkpoint.CHECKSUMS).is_file()
  largest = _data_files(newest / 'state')[-1]
  if damage == 'flip':
    _flip(largest)
  elif damage == 'truncate':
    largest.write_bytes(largest.read_bytes()[:40])
  else:
    largest.unlink()
  caplog.set_level('WARNING', 'memae_jax')
  resumed = jax.device_get(loop.train(exp, tmp_path))
  # Found by its checksum: orbax, which drops reads loudly, never saw it.
  assert str(newest) in caplog.text and 'not as it was written' in caplog.text
  for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(resumed)):
    np.testing.assert_array_equal(a, b)
  assert list((tmp_path / 'damaged_checkpoints').iterdir())
  with checkpoint.Checkpoints(tmp_path, read_only=True) as checkpoints:
    assert (
      checkpoints.restore_newest(exp.programs.init_shapes, lambda _: None)[0]
      == exp.steps
    )


def test_a_checkpoint_that_another_process_cannot_read(tmp_path, monkeypatch):
  exp = experiment.build(helpers.digits(**{'train.keep': 3}))
  loop.train(exp, tmp_path)
  asked = []

  def of_two(flag):
    asked.append(flag)
    return flag or len(asked) == 1  # The other one fails at the newest.

  monkeypatch.setattr(checkpoint.parallel, 'any_process', of_two)
  with checkpoint.Checkpoints(tmp_path, read_only=True) as checkpoints:
    steps = checkpoints.steps()
    found, *_ = checkpoints.restore_newest(
      exp.programs.init_shapes, lambda _: None
    )
  # What a checkpoint says of itself, its state, and its fingerprint.
  assert asked == [False] * 4 and found == steps[-2]


def test_checkpoints_removed_while_their_folder_is_looked_at(
  tmp_path, monkeypatch
):
  of = ocp.path.step.Metadata
  look = of.commit_timestamp.fget

  def removed_before(self):
    if self.step in gone:
      self.path.rmtree()
    return look(self)

  monkeypatch.setattr(of, 'commit_timestamp', property(removed_before))
  for step in (1, 2, 3):
    (tmp_path / 'checkpoints' / str(step)).mkdir(parents=True)
  gone = [1]
  with checkpoint.Checkpoints(tmp_path, read_only=True) as checkpoints:
    assert checkpoints.steps() == [2, 3]
    gone = [2]
    checkpoints.refresh()
    assert checkpoints.steps() == [3]


def test_a_checkpoint_that_a_training_replaces_while_it_is_read(tmp_path):
  exp = experiment.build(helpers.digits(**{'train.keep': 1}))
  loop.train(exp, tmp_path)
  folder = tmp_path / 'checkpoints'
  with checkpoint.Checkpoints(tmp_path, read_only=True) as checkpoints:
    (at,) = checkpoints.steps()
    (folder / str(at)).rename(folder / str(at + 1))
    with pytest.raises(errors.UserError, match='has removed it meanwhile'):
      checkpoints.meta(at)
    found, *_ = checkpoints.restore_newest(
      exp.programs.init_shapes, lambda _: None
    )
  assert found == at + 1


def test_damaged_checkpoints_that_cannot_be_moved_away(tmp_path):
  exp = experiment.build(helpers.digits(**{'train.keep': 3}))
  loop.train(exp, tmp_path)
  steps = sorted(int(p.name) for p in (tmp_path / 'checkpoints').iterdir())
  for path in _data_files(tmp_path / 'checkpoints' / str(steps[-1]) / 'state'):
    path.unlink()
  (tmp_path / 'damaged_checkpoints').write_text('not a folder')
  with pytest.raises(errors.UserError, match='cannot be moved away'):
    loop.train(exp, tmp_path)
  found = sorted(int(p.name) for p in (tmp_path / 'checkpoints').iterdir())
  assert found == steps


def test_all_checkpoints_damaged(tmp_path):
  exp = experiment.build(helpers.digits())
  loop.train(exp, tmp_path)
  for folder in (tmp_path / 'checkpoints').iterdir():
    for path in _data_files(folder / 'state'):
      path.write_bytes(b'')
  with pytest.raises(errors.UserError, match='none of the checkpoints'):
    loop.train(exp, tmp_path)


@pytest.mark.parametrize('name', helpers.ODD_NAMES)
def test_folders_of_any_name(tmp_path, name):
  folder = tmp_path / name
  state = {'a': jax.device_put(np.arange(5.0), jax.devices()[0])}
  like = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state
  )
  with checkpoint.Checkpoints(folder) as checkpoints:
    checkpoints.save(3, state, {'x': 1})
  with checkpoint.Checkpoints(folder, read_only=True) as checkpoints:
    assert checkpoints.steps() == [3] and checkpoints.meta(3) == {'x': 1}
    found = checkpoints.restore(3, like)
  np.testing.assert_array_equal(found['a'], np.arange(5))
  assert (folder / 'checkpoints/3' / checkpoint.CHECKSUMS).is_file()


def test_the_first_checkpoint_is_read_back(tmp_path, monkeypatch):
  def no_content(*_, **__):
    raise ValueError('NOT_FOUND: no database')

  monkeypatch.setattr(ocp.PyTreeCheckpointHandler, 'restore', no_content)
  state = {'a': jnp.arange(5.0)}
  with pytest.raises(errors.UserError, match='NOT_FOUND.*another --workdir'):
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
      checkpoints.save(3, state, {})


def test_what_several_devices_hold_is_saved_without_a_program(tmp_path, caplog):
  """Orbax would compile one for each shape and device."""
  exp = experiment.build(helpers.digits(**{'mesh.data': 4}))
  state = exp.programs.init()
  shards = jax.tree.leaves(state.params)[0].addressable_shards
  assert any(shard.replica_id for shard in shards)
  caplog.set_level('WARNING', 'jax')
  with checkpoint.Checkpoints(tmp_path) as checkpoints, jax.log_compiles():
    checkpoints.save(0, state, {})
  assert 'Compiling' in caplog.text  # The fingerprint.
  assert 'slice' not in caplog.text
