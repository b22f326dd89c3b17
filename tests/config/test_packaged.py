"""The configs of the package by their bare names, from an empty folder."""

import pathlib

import pytest

from memae_jax import config as config_lib
from memae_jax.config import config_file, packaged
from memae_jax.runtime import errors
from memae_jax.studies import grid
from tests import helpers
from tests.data.images import pictures

CONFIGS = helpers.ROOT / 'configs'
FILES = sorted(CONFIGS.glob('*.py'))
STUDIES = sorted((CONFIGS / 'studies').glob('*.py'))
MINE = "def get_config(arg=''):\n  return {'name': 'mine' + arg}\n"


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
  """The folder that each test works in."""
  folder = tmp_path / 'empty'
  folder.mkdir()
  monkeypatch.chdir(folder)
  return folder


def _refused(text, *words, function='get_config'):
  with pytest.raises(errors.UserError) as refusal:
    config_file.existing(text, function=function)
  line = str(refusal.value)
  assert '\n' not in line and all(word in line for word in words), line


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_each_config_is_found_by_its_name(path):
  assert config_file.existing(path.stem) == (path, None)
  assert config_file.existing(f'{path.stem}:a=b:c,d') == (path, 'a=b:c,d')
  by_name = config_file.get_config(f'{path.stem}:smoke,seeds=3')
  assert by_name == config_file.get_config(f'{path}:smoke,seeds=3')
  assert by_name.fleet.seeds == 3


@pytest.mark.parametrize('path', STUDIES, ids=lambda path: path.stem)
def test_each_study_is_found_by_its_name(path, tmp_path, monkeypatch):
  pictures.plain(tmp_path / 'mvtec/screw')  # As if it were prepared.
  monkeypatch.setenv('MEMAE_DATA_DIR', str(tmp_path))
  (tmp_path / 'one.csv').touch()
  argument = f',path={tmp_path}' if path.stem == 'tables' else ''
  study, folder = grid.load(f'{path.stem}:smoke{argument}')
  assert folder == path.parent and study.name == path.stem
  assert grid.points(study, folder)


def test_a_study_of_ones_own_may_name_its_base(empty):
  (empty / 'mine.py').write_text(
    'from memae_jax.studies import grid\n\n\ndef get_study():\n'
    "  return grid.Study('digits:smoke,variant=ae', [{'seed': 3}])\n"
  )
  (point,) = grid.points(*grid.load('mine.py'))
  assert point.config.name == 'digits' and point.config.train.seed == 3


def test_in_a_command_and_in_a_flag_file(empty):
  """The only mistake of these is that they have no --workdir."""
  (empty / 'flags.txt').write_text('--config=digits:smoke,classes=3\n')
  for words in (['--config', 'digits:smoke'], ['--flagfile=flags.txt']):
    code, _, err = helpers.run(*words, '--config.train.epochs=1')
    assert code == 2 and '--workdir is missing' in err, err


def test_names_that_there_are_not():
  _refused('digts:smoke', 'digts does not exist', 'mean "digits"', 'arrays, ci')
  _refused('nothing', 'nothing does not exist; give', ', mnist, moving_shapes')
  _refused('seeds', 'seeds does not exist', 'a config of the package: arrays')
  _refused('digits', 'a study of the package: abl', function='get_study')
  _refused('seed', 'mean "seeds"', function='get_study')
  _refused('digits.py', 'digits.py does not exist; give', 'or "digits"')
  _refused('configs/digits.py:smoke', 'or "digits", a config of the package')
  _refused('../digits', 'digits does not exist; give a Python file')


def test_a_file_of_that_name_beside_it_must_be_meant(empty, monkeypatch):
  (empty / 'digits.py').write_text(MINE)
  assert config_file.get_config('digits.py:x').name == 'minex'
  _refused('digits:smoke', 'one of the package', 'write digits.py for this')
  _refused('digit', 'did you mean "digits')
  (empty / 'mine.py').write_text(MINE)
  _refused('mine', 'did you mean "mine.py"')
  (empty / 'mnist').write_text(MINE)  # A file of just this name is meant.
  assert config_file.existing('mnist:x') == (pathlib.Path('mnist'), 'x')
  monkeypatch.chdir(CONFIGS)
  assert config_file.existing('digits')[0] == CONFIGS / 'digits.py'


def test_a_folder_of_that_name(empty):
  """So `--config=digits:smoke --workdir=digits` can be given again."""
  run, packed = empty / 'digits', packaged.files()['digits']
  run.mkdir()
  assert config_file.existing('digits') == (packed, None)
  (run / 'config.json').write_text(config_lib.to_json(helpers.digits()))
  assert config_file.get_config('digits').name == 'test'  # As of any run.
  assert config_file.existing('digits:smoke') == (packed, 'smoke')
  run.rename(empty / 'others')
  with pytest.raises(errors.UserError, match='others/config.json takes no arg'):
    config_file.get_config('others:smoke')
  (empty / 'data').mkdir()
  _refused('data', 'data is a folder and no run')


def test_where_a_wheel_has_them(tmp_path, monkeypatch):
  package = tmp_path / 'site' / 'memae_jax'
  (package / 'configs' / 'studies').mkdir(parents=True)
  (package / 'configs' / 'one.py').write_text(MINE)
  monkeypatch.setattr(packaged, 'PACKAGE', package)
  assert list(packaged.files()) == ['one'] and not packaged.files('get_study')
  assert config_file.get_config('one').name == 'mine'
