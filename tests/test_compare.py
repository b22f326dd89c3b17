"""The command that compares runs: a mistake is one line."""

from tests import helpers


def test_one_clear_line():
  process = helpers.start('x', module='memae_jax.compare')
  _, err = process.communicate(timeout=100)
  assert process.returncode == 2 and 'x is no folder' in err
  assert len(err.splitlines()) == 1
