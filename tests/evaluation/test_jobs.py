"""Evaluation jobs: every checkpoint once, beside training, on other data."""

import json
import os
import pathlib
import shutil
import time
import types

import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.evaluation import jobs
from tests import helpers

_FIELDS = {
  'fleet.normal_classes': (3,),
  'train.epochs': 8.0,
  'train.keep_all': True,
  'eval.baselines': ('random', 'untrained'),
}


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A run with all its checkpoints and the evaluation of the last."""
  folder = tmp_path_factory.mktemp('jobs')
  config = helpers.write_config(folder / 'c.py', helpers.digits(**_FIELDS))
  code, _, err = helpers.run(f'--config={config}', f'--workdir={folder}/run')
  assert code == 0, err
  return folder / 'run'


@pytest.fixture
def trained(run, tmp_path):
  """A copy of the run, which a test may change."""
  return pathlib.Path(shutil.copytree(run, tmp_path / 'trained'))


def _steps(workdir, kind='checkpoints'):
  return sorted(int(p.name) for p in (workdir / kind).glob('[0-9]*'))


def _losses(workdir):
  """Returns the logged losses of the training."""
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  return [e['loss'] for e in map(json.loads, lines) if 'loss' in e]


def _eval(workdir, *flags):
  return helpers.run('--mode=eval', f'--workdir={workdir}', *flags)


@pytest.mark.slow
def test_all_checkpoints_and_the_course(trained):
  steps = _steps(trained)
  assert len(steps) >= 5
  before = (trained / 'eval' / str(steps[-1]) / 'results.json').read_bytes()
  top = (trained / 'results.json').read_bytes()
  code, out, err = _eval(trained, '--steps=all')
  assert code == 0, err
  assert out == f'evaluated steps: {", ".join(map(str, steps[:-1]))}\n'
  assert _steps(trained, 'eval') == steps
  # What stood there is untouched.
  last = trained / 'eval' / str(steps[-1]) / 'results.json'
  assert last.read_bytes() == before
  assert (trained / 'results.json').read_bytes() == top
  code, out, _ = _eval(trained, '--steps=all')
  assert code == 0 and 'none left' in out
  code, _, err = _eval(trained)
  assert code == 0, err
  course = json.loads((trained / 'results.json').read_text())['course']
  assert course['steps'] == steps
  for at, (auroc,) in zip(steps, course['auroc']):
    stored = json.loads((trained / f'eval/{at}/results.json').read_text())
    assert stored['replicas'][0]['metrics']['auroc'] == auroc
    assert stored['checkpoint']['step'] == at
  assert 'How did detection change' in (trained / 'report.html').read_text()


def test_given_and_best_steps(trained):
  steps = _steps(trained)
  code, out, err = _eval(trained, f'--steps={steps[0]},{steps[1]}')
  assert code == 0 and f'{steps[0]}, {steps[1]}' in out, err
  results = json.loads((trained / f'eval/{steps[0]}/results.json').read_text())
  assert results['checkpoint']['rule'] == 'given'
  events = map(json.loads, (trained / 'metrics.jsonl').read_text().splitlines())
  errors_ = {
    e['step']: e['reconstruction']
    for e in events
    if e['split'] == 'validation' and e['step'] in steps
  }
  best = min(errors_, key=errors_.get)
  (trained / f'eval/{best}/results.json').unlink(missing_ok=True)
  code, out, err = _eval(trained, '--steps=best')
  assert code == 0 and out == f'evaluated steps: {best}\n', err
  results = json.loads((trained / f'eval/{best}/results.json').read_text())
  assert results['checkpoint']['rule'] == 'validation'


@pytest.mark.parametrize(
  ('steps', 'message'),
  [('first', 'no step; use latest'), ('7,3', 'checkpoint 3 is not kept')],
)
def test_wrong_steps(trained, steps, message):
  code, _, err = _eval(trained, f'--steps={steps}')
  assert code == 2 and message in err


def _content(folder):
  return {p: p.read_bytes() for p in folder.rglob('*') if p.is_file()}


def test_results_beside_the_run(trained, tmp_path, monkeypatch):
  before, out = _content(trained), tmp_path / 'new' / 'results'
  first, last = _steps(trained)[0], _steps(trained)[-1]
  real = os.access  # As of a folder that may only be read, for root, too.
  monkeypatch.setattr(
    os,
    'access',
    lambda path, mode: (
      real(path, mode)
      and not (mode & os.W_OK and pathlib.Path(path).is_relative_to(trained))
    ),
  )
  code, _, err = _eval(trained)
  assert code == 2 and f'{trained} may only be read; give --results=' in err
  code, said, err = _eval(trained, f'--results={out}', f'--steps={first}')
  assert code == 0 and said == f'evaluated steps: {first}\n', err
  assert not (out / 'results.json').exists()
  code, said, err = _eval(trained, f'--results={out}')
  assert code == 0 and f'report: {out}/report.html' in said, err
  there = json.loads((out / 'results.json').read_text())
  here = json.loads((trained / f'eval/{last}/results.json').read_text())
  assert there['metrics'] == here['metrics']
  assert there['course']['steps'] == [first, last]
  assert _content(trained) == before


def test_results_where_they_do_not_belong(trained, tmp_path):
  (tmp_path / 'checkpoints/8').mkdir(parents=True)
  code, _, err = _eval(trained, f'--results={tmp_path}')
  assert code == 2 and 'is the folder of another run' in err
  code, _, err = helpers.run(f'--workdir={trained}', '--results=x')
  assert code == 2 and 'add --mode=eval' in err
  (tmp_path / 'file').write_text('')
  code, _, err = _eval(trained, f'--results={tmp_path / "file"}')
  assert code == 2 and 'may only be read' in err


def test_an_evaluation_by_other_settings_is_not_taken(trained):
  last = trained / 'eval' / str(_steps(trained)[-1])
  config = config_lib.load(trained / 'config.json')
  made = lambda config, folder: jobs.has_same_report(
    types.SimpleNamespace(config=config), folder
  )
  assert made(config, last)
  assert made(config_lib.changed(config, {'train.keep': 7}), last)
  assert not made(config_lib.changed(config, {'eval.bootstrap': 7}), last)
  assert not made(config, last.parent / 'nowhere')


@pytest.mark.slow
def test_two_jobs_beside_a_training(tmp_path, trained):
  """Two jobs evaluate each checkpoint once, and leave the training alone."""
  fields = _FIELDS | {'train.epochs': 30.0, 'train.checkpoint_every': 32}
  config = helpers.write_config(tmp_path / 'c.py', helpers.digits(**fields))
  run = tmp_path / 'run'
  training = helpers.start(f'--config={config}', f'--workdir={run}')
  while not (run / 'config.json').exists():
    assert training.poll() is None, training.communicate()
    time.sleep(0.05)
  watching = '--mode=eval', f'--workdir={run}', '--watch'
  watchers = [helpers.start(*watching) for _ in range(2)]
  _, err = training.communicate(timeout=400)
  assert training.returncode == 0, err
  steps, done = _steps(run), []
  for job in watchers:
    out, err = job.communicate(timeout=400)
    assert job.returncode == 0, err
    numbers = out.removeprefix('evaluated steps: ').strip()
    done += (
      [] if numbers.startswith('none left') else map(int, numbers.split(', '))
    )
  assert len(set(done)) == len(done)
  # The training evaluates the last one itself.
  assert set(done) | {steps[-1]} == set(steps) == set(_steps(run, 'eval'))
  beside, alone = _losses(run), _losses(trained)
  assert len(beside) > len(alone) > 5
  alone.pop()  # Of fewer steps: the shorter run ended.
  np.testing.assert_allclose(beside[: len(alone)], alone, rtol=1e-4)


def _table(path, weight, extra=False):
  """120 labelled rows, their `weight` times as heavy."""

  def change(rows):
    rows = [[r[0], f'{weight * float(r[1]):.4f}', *r[2:]] for r in rows[1:]]
    head = ['size', 'weight', 'kind', 'label']
    if extra:
      head, rows = [*head, 'more'], [[*row, '1'] for row in rows]
    return [head, *rows]

  return helpers.write_csv(path, change)


@pytest.mark.slow
def test_other_data_are_scaled_as_the_training_was(tmp_path):
  fields = {
    'data.name': 'arrays',
    'data.path': str(_table(tmp_path / 'a.csv', 1.0)),
    'data.label_column': 'label',
    'data.categorical_columns': ('kind',),
    'data.normal_labels': ('good',),
    'data.protocol': 'random_rows',
    'data.scaling': 'minmax',
    'fleet.normal_classes': (),
    'eval.baselines': (),
  }
  config = helpers.write_config(tmp_path / 'c.py', helpers.digits(**fields))
  run = tmp_path / 'run'
  code, _, err = helpers.run(f'--config={config}', f'--workdir={run}')
  assert code == 0, err
  top = (run / 'results.json').read_bytes()
  heavy = _table(tmp_path / 'b.csv', 50.0)
  code, out, err = _eval(run, f'--config.data.path={heavy}')
  assert code == 0, err
  assert 'report:' in out and (run / 'results.json').read_bytes() == top
  (folder,) = (run / 'eval').glob('*-*')
  light, other = (
    np.load(f / 'scores.npz')
    for f in (next((run / 'eval').glob('[0-9]*[0-9]')), folder)
  )
  # Scaled by their own range the scores would be alike.
  assert np.median(other['memae/score']) > 20 * np.median(light['memae/score'])
  results = json.loads((folder / 'results.json').read_text())
  assert results['dataset']['trained_on'] != results['dataset']['data_sha256']
  assert any('not the data of' in warning for warning in results['warnings'])
  code, out, err = _eval(run, f'--config.data.path={heavy}', '--steps=all')
  assert code == 0 and 'none left' not in out, err  # The step before.
  code, _, err = _eval(run, '--config.data.train_fraction=0.4')
  assert code == 2 and 'another config' in err  # Training rows would be tested.
  code, _, err = _eval(
    run, f'--config.data.path={heavy}', '--config.data.clip=3'
  )
  assert code == 2 and 'data.clip' in err
  assert (run / 'results.json').read_bytes() == top
  code, _, err = _eval(
    run, f'--config.data.path={_table(tmp_path / "c.csv", 1.0, True)}'
  )
  assert code == 2 and 'give data of the same kind' in err
