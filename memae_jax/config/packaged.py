"""The configs and studies that come with the package, by their bare names.

In the repository they are `configs/` beside the package, in a wheel a folder of
the package.
"""

import pathlib

# The folder `memae_jax`, wherever it is installed.
PACKAGE = pathlib.Path(__file__).resolve().parents[1]
# The folder in `configs/` with the files that define each function.
_FOLDERS = {'get_config': '.', 'get_study': 'studies'}


def folder() -> pathlib.Path:
  """Returns the folder of the configs, which has the studies in `studies/`."""
  installed = PACKAGE / 'configs'
  return installed if installed.is_dir() else PACKAGE.parent / 'configs'


def files(function: str = 'get_config') -> dict[str, pathlib.Path]:
  """Returns the files by their names, sorted, such as `digits`.

  Args:
    function: that the files define, 'get_config' or 'get_study'.
  """
  paths = (folder() / _FOLDERS[function]).glob('*.py')
  return {path.stem: path for path in sorted(paths)}
