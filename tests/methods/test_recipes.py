"""Each recipe of docs/methods.md as a plugin, through every command."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import sklearn.datasets

from memae_jax import scorer
from tests import helpers

pytestmark = pytest.mark.slow
METHODS = 'prototypes', 'moving_slots', 'whitened', 'mixtures'
_BLOCK = re.compile(r'```python\n# (\w+)\.py\n(.*?)```', re.DOTALL)


@pytest.fixture(scope='module')
def plugins(tmp_path_factory):
  """The folder of the recipes; each is a file of at most 40 lines of code."""
  folder = tmp_path_factory.mktemp('plugins')
  page = (helpers.ROOT / 'docs' / 'methods.md').read_text()
  for name, text in _BLOCK.findall(page):
    assert sum(map(bool, text.splitlines())) <= 40, name
    (folder / f'{name}.py').write_text(text)
  return folder


def _names(folder):
  return sorted(path.stem for path in folder.glob('*.py'))


@pytest.fixture(scope='module')
def command(plugins):
  """Runs a module with all recipes as plugins; returns standard output."""
  path = {'PYTHONPATH': f'{helpers.ROOT}{os.pathsep}{plugins}'}

  def run(module, *words, plugin_names=None, code=0):
    names = _names(plugins) if plugin_names is None else plugin_names
    done = subprocess.run(
      [
        *(sys.executable, '-m', f'memae_jax.{module}'),
        *(f'--plugin={name}' for name in names),
        *map(str, words),
      ],
      cwd=helpers.ROOT,
      env={**os.environ, **path, 'JAX_NUM_CPU_DEVICES': '1'},
      capture_output=True,
      text=True,
      timeout=600,
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr

  return run


@pytest.fixture(scope='module')
def trained(command, tmp_path_factory):
  """A run of all four methods beside two of ours, with another loss."""
  folder = tmp_path_factory.mktemp('runs') / 'digits'
  command(
    'main',
    f'--workdir={folder}',
    '--config=configs/digits.py:smoke',
    f'--config.fleet.variants=memae,pca,{",".join(METHODS)}',
    '--config.train.loss=huber',
    '--config.eval.score=largest',
    '--config.eval.baselines=mean',
  )
  return folder


def _results(folder):
  return json.loads((folder / 'results.json').read_text())


def test_all_stand_in_one_table_with_paired_differences(trained):
  results = _results(trained)
  assert set(results['methods']) == {'memae', 'pca', *METHODS}
  for name in METHODS:
    assert f'memae - {name}' in results['differences']
    assert 0 <= results['methods'][name]['auroc']['mean'] <= 1
  assert results['methods']['prototypes']['auroc']['mean'] > 0.9
  assert results['score']['name'] == 'largest'
  assert results['config']['plugins'] == [
    name for name in results['config']['plugins']
  ]
  tens = [values['precision_at_ten'] for values in results['methods'].values()]
  assert all(0 <= ten['mean'] <= 1 for ten in tens)
  page = (trained / 'report.html').read_text()
  for text in ('Prototypes', 'Moving slots', 'Random mixtures', 'Whitened AE'):
    assert text in page
  assert 'Precision at ten' in page and 'largest squared error' in page
  kept = {path.name for path in (trained / 'checkpoints').iterdir()}
  assert {'pca', *METHODS} <= kept


def test_evaluated_again_by_another_process(trained, command):
  before = _results(trained)
  command(
    'main', '--mode=eval', f'--workdir={trained}', plugin_names=_plugins()
  )
  after = _results(trained)
  assert before['methods'] == after['methods']


def _plugins():
  page = (helpers.ROOT / 'docs' / 'methods.md').read_text()
  return [name for name, _ in _BLOCK.findall(page)]


def test_without_the_plugin_one_line_asks_for_it(trained, command):
  said = command(
    'main', '--mode=eval', f'--workdir={trained}', plugin_names=(), code=2
  )
  (line,) = [x for x in said.splitlines() if x.startswith('error: ')]
  assert 'needs the plugin' in line and '--plugin=' in line


@pytest.mark.parametrize('name', METHODS)
def test_exported_and_scored_without_any_plugin(
  name, trained, command, tmp_path, capsys
):
  command(
    'export',
    trained,
    f'--to={tmp_path / "a.scorer"}',
    f'--replica={name}/normal_class=0',
  )
  images = sklearn.datasets.load_digits().images[:20, ..., None]
  np.save(tmp_path / 'x.npy', (images / 16 * 255).astype(np.uint8))
  # This process has no plugin.
  assert scorer.main([str(tmp_path / 'a.scorer'), str(tmp_path / 'x.npy')]) == 0
  said = capsys.readouterr().out
  rows = [row.split(',') for row in said.strip().splitlines()]
  assert rows[0][:2] == ['image', 'score'] and len(rows) == 21
  assert np.isfinite([float(row[1]) for row in rows[1:]]).all()


def test_studied_with_the_data_set(command, tmp_path):
  study = tmp_path / 'rings.py'
  study.write_text(
    'from memae_jax.studies import grid\n\n\n'
    'def get_study(arg=""):\n'
    '  fields = {"data.name": "rings", "data.protocol": "random_rows",\n'
    '    "fleet.normal_classes": (), "data.scaling": "standard",\n'
    '    "model.network": "dense", "model.widths": (8,), "model.code": 2,\n'
    '    "train.epochs": 3.0, "eval.baselines": ("mean",)}\n'
    '  points = grid.sweep("variant", ("prototypes", "ae"))\n'
    f'  return grid.Study("{helpers.ROOT}/configs/kddcup99.py:smoke", points,\n'
    '    fields, metric="precision_at_ten")\n'
  )
  command('study', f'--config={study}', f'--workdir={tmp_path / "study"}')
  text = (tmp_path / 'study' / 'study.csv').read_text()
  assert 'precision_at_ten' in text and 'prototypes' in text
  runs = list((tmp_path / 'study' / 'runs').glob('*/results.json'))
  assert {_results(run.parent)['dataset']['name'] for run in runs} == {'rings'}
  page = tmp_path / 'pair'
  command('compare', *(run.parent for run in runs), f'--output={page}')
  text = (page / 'compare.html').read_text()
  assert 'Prototypes' in text
