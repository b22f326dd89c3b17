"""Folders of runs: what is in them."""

from memae_jax.training import run_folder


def test_a_checkpoint_that_was_never_finished_does_not_count(tmp_path):
  assert not run_folder.has_checkpoints(tmp_path)
  (tmp_path / 'checkpoints/20.orbax-checkpoint-tmp').mkdir(parents=True)
  assert not run_folder.has_checkpoints(tmp_path)
  (tmp_path / 'checkpoints/20').mkdir()
  assert run_folder.has_checkpoints(tmp_path)
