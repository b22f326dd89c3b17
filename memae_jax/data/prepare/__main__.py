"""The command `python -m memae_jax.data.prepare`."""

from absl import flags

from memae_jax import cli
from memae_jax.data import prepare

if __name__ == '__main__':
  flags.DEFINE_string(
    'data_dir',
    '',
    'Prepared sets go here. Default: $MEMAE_DATA_DIR, else ~/memae_data.',
  )
  flags.DEFINE_string(
    'manual_dir', '', "Folder with the publisher's files; else download."
  )
  cli.main(prepare.run, arguments=1)
