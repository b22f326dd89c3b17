"""Bad input at the command line: one clear line, exit code 2, nothing lost."""

import gzip
import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.runtime import errors, locks
from memae_jax.training import experiment, loop, run_folder
from tests import helpers

SMOKE = '--config=configs/digits.py:smoke'


def _table(path, **changes):
  """The arguments of a run on a csv file."""
  fields = {
    'data.name': 'arrays',
    'data.path': str(path),
    'data.protocol': 'random_rows',
    'data.scaling': 'standard',
    'data.label_column': 'label',
    'data.normal_labels': ('good',),
    'data.categorical_columns': ('kind',),
    'fleet.normal_classes': (),
    **changes,
  }
  return helpers.digits(**fields)


def _set(row, column, value):
  def change(rows):
    rows[row][column] = value
    return rows

  return change


# name -> (change of the csv rows, changes of the config, what the line says)
TABLES = {
    'NaN cell': (_set(7, 0, 'nan'), {}, ['size', 'missing']),
    'infinite cell': (_set(7, 0, 'inf'), {}, ['size', 'inf']),
    'text in a number': (_set(7, 1, 'heavy'), {}, ['weight', 'heavy']),
    'missing label': (_set(9, 3, ''), {}, ['label']),
    'ragged row': (
        lambda rows: rows[:5] + [rows[5][:2]] + rows[6:],
        {}, ['line 6', '2 cells'],
    ),
    'column named twice': (_set(0, 1, 'size'), {}, ['size']),
    'no rows': (lambda rows: rows[:1], {}, ['row']),
    'label column missing': (None, {'data.label_column': 'lable'}, ['lable']),
    'categorical column missing': (
        None, {'data.categorical_columns': ('kindd',)}, ['kindd', 'kind']
    ),
    'column to drop missing': (
        None, {'data.drop_columns': ('colour',)}, ['colour']
    ),
    'text column not listed': (
        None, {'data.categorical_columns': ()}, ['kind', 'categorical']
    ),
    'text columns are named all at once': (
        lambda rows: [[*row, 'x'] for row in rows],
        {'data.categorical_columns': ()},
        ['kind', 'categorical', '"x"', 'hold text'],
    ),
    'normal label unknown': (
        None, {'data.normal_labels': ('god',)}, ['god', 'good']
    ),
    'category new at test time': (
        _set(100, 2, 'zebra'), {}, ['kind', 'zebra']
    ),
    'no normal row at all': (
        lambda rows: rows[:1] + [[*row[:3], 'bad'] for row in rows[1:]],
        {}, ['good'],
    ),
    'too few rows to split': (lambda rows: rows[:3], {}, ['train']),
    'fixed scaling of a table': (None, {'data.scaling': 'fixed'}, ['fixed']),
'memory larger than data': (
    None,
    {'model.memory.slots': 5000, 'model.memory.init': 'encodings'},
    ['5000 slots', 'uniform'],
  ),
}  # fmt: skip


@pytest.mark.parametrize('name', TABLES)
def test_tables(name, tmp_path):
  change, changes, words = TABLES[name]
  path = helpers.write_csv(tmp_path / 'rows.csv', change or (lambda rows: rows))
  config = helpers.write_config(tmp_path / 'c.py', _table(path, **changes))
  _refused(tmp_path, [f'--config={config}'], words)


def _refused(tmp_path, argv, words, code=2):
  workdir = tmp_path / 'run'
  status, out, err = helpers.run(*argv, f'--workdir={workdir}')
  said = [line for line in err.splitlines() if line.startswith('error: ')]
  assert status == code and len(said) == 1, (status, out, err)
  assert err.splitlines()[-1] == said[0], 'the error is the last line'
  for word in words:
    assert word in said[0], said[0]
  assert not (workdir / 'results.json').exists()
  assert not (workdir / 'metrics.jsonl').exists()


COMMANDS = {
    'no such config': (['--config=configs/nope.py'], ['configs/nope.py']),
    'unknown argument': (
        ['--config=configs/digits.py:clases=3'], ['clases', 'classes']
    ),
    'argument of a wrong type': (
        ['--config=configs/digits.py:classes=many'], ['classes', 'many']
    ),
    'unknown variant': (
        ['--config=configs/digits.py:variant=memea'], ['memea', 'memae']
    ),
    'misspelt config': (
        ['--config=configs/digit.py:smoke'],
        ['configs/digit.py does not exist', 'mean "configs/digits.py"'],
    ),
    'unknown group': (
        [SMOKE, '--config.modle.code=3'], ['"modle.code" is', 'mean "model"']
    ),
    'unknown field': (
        [SMOKE, '--config.model.memory.slot=3'],
        ['"model.memory.slot" is unknown (did you mean "slots"?)'],
    ),
    'field of a field': (
        [SMOKE, '--config.model.code.x=3'], ['model.code.x', 'not a group']
    ),
    'misspelt config, after a space': (
        ['--config', 'configs/digit.py:smoke'], ['mean "configs/digits.py"']
    ),
    'field of a wrong type': (
        [SMOKE, '--config.model.code=wide'], ['model.code', 'wide']
    ),
    'negative threshold': (
        [SMOKE, '--config.model.memory.threshold=-1.0'],
        ['model.memory.threshold', '-1.0', 'at least 0'],
    ),
    'no slots': (
        [SMOKE, '--config.model.memory.slots=0'],
        ['model.memory.slots', 'at least 1'],
    ),
    'learning rate is NaN': (
        [SMOKE, '--config.train.learning_rate=nan'], ['learning_rate', 'nan']
    ),
    'unknown data set': (
        [SMOKE, '--config.data.name=digit'], ['data.name', 'digits']
    ),
    'no such class': (
        [SMOKE, '--config.fleet.normal_classes=(11,)'], ['11', 'digits']
    ),
    'no classes': (
        [SMOKE, '--config.fleet.normal_classes=()'], ['normal_classes']
    ),
    'path without data.name': (
        [SMOKE, '--config.data.path=x.csv'], ['data.path', 'arrays']
    ),
    'data not prepared': (
        ['--config=configs/kddcup99.py', '--config.data.data_dir=/nowhere'],
        ['/nowhere', 'memae_jax.data.prepare kddcup99'],
    ),
    'threshold that no weight can pass': (
    [SMOKE, '--config.model.memory.threshold=50.0'],
    ['50/N', 'model.memory.threshold'],
  ),
  'unknown table of the paper': (
    [SMOKE, '--config.paper=mnst'],
    ['paper', 'mnist'],
  ),
  'unknown flag': ([SMOKE, '--cofnig=1'], ['cofnig']),
    'unknown mode': ([SMOKE, '--mode=fly'], ['fly', 'train']),
    'stray argument': ([SMOKE, 'now'], ['now']),
    'no config': ([], ['--config']),
    'eval of nothing': (['--mode=eval'], ['config.json', 'train first']),
}  # fmt: skip


@pytest.mark.parametrize('name', COMMANDS)
def test_commands(name, tmp_path):
  argv, words = COMMANDS[name]
  _refused(tmp_path, argv, words)


@pytest.mark.slow
def test_help_is_no_failure():
  command = [sys.executable, '-m', 'memae_jax.main', '--help']
  out = subprocess.run(command, capture_output=True, text=True, check=True)
  assert '--workdir' in out.stdout


def test_no_workdir():
  code, _, err = helpers.run(SMOKE)
  assert code == 2 and '--workdir' in err


@pytest.mark.parametrize('content, words', [
    (None, ['missing.npz']),
    (b'', ['missing.npz']),
    (b'not a zip file', ['missing.npz']),
])  # fmt: skip
def test_npz_files(tmp_path, content, words):
  path = tmp_path / 'missing.npz'
  if content is not None:
    path.write_bytes(content)
  config = helpers.write_config(tmp_path / 'c.py', _table(path))
  _refused(tmp_path, [f'--config={config}'], words)


def test_truncated_gz(tmp_path):
  plain = helpers.write_csv(tmp_path / 'rows.csv')
  whole = gzip.compress(plain.read_bytes())
  path = tmp_path / 'rows.csv.gz'
  path.write_bytes(whole[: len(whole) // 2])
  config = helpers.write_config(tmp_path / 'c.py', _table(path))
  _refused(tmp_path, [f'--config={config}'], ['rows.csv.gz', 'truncated'])


def test_pickled_npz_is_not_loaded(tmp_path):
  path = tmp_path / 'evil.npz'
  np.savez(path, inputs=np.asarray([{'a': 1}], object))
  config = helpers.write_config(tmp_path / 'c.py', _table(path))
  _refused(tmp_path, [f'--config={config}'], ['evil.npz'])


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
  """A finished run."""
  workdir = tmp_path_factory.mktemp('finished') / 'run'
  code, _, err = helpers.run(SMOKE, f'--workdir={workdir}')
  assert code == 0, err
  return workdir


def _files(workdir):
  """All files but locks, which say who held them last."""
  return {
    path: path.read_bytes()
    for path in workdir.rglob('*')
    if path.is_file() and path.name not in ('.lock', '.claim')
  }


@pytest.mark.slow
def test_workdir_of_another_config(finished):
  before = _files(finished)
  code, _, err = helpers.run(
    SMOKE, '--config.model.code=5', f'--workdir={finished}'
  )
  assert code == 2
  assert 'model.code: 16 there, 5 now' in err and 'another --workdir' in err
  assert _files(finished) == before


def test_eval_with_another_model(finished):
  before = _files(finished)
  code, _, err = helpers.run(
    '--mode=eval', SMOKE, '--config.model.code=5', f'--workdir={finished}'
  )
  assert code == 2 and 'model.code' in err
  assert _files(finished) == before


def test_damaged_config_of_a_run(finished, tmp_path):
  (tmp_path / 'config.json').write_text('{"train": ')
  code, _, err = helpers.run('--mode=eval', f'--workdir={tmp_path}')
  assert code == 2 and 'config.json is not a readable config' in err


def test_workdir_that_is_a_file(tmp_path):
  path = tmp_path / 'file'
  path.write_text('kept')
  code, _, err = helpers.run(SMOKE, f'--workdir={path}')
  assert code == 2 and str(path) in err and path.read_text() == 'kept'


@pytest.mark.skipif(not os.path.isdir('/proc'), reason='needs /proc')
def test_workdir_that_cannot_be_written():
  code, _, err = helpers.run(SMOKE, '--workdir=/proc/run')
  assert code == 2 and '/proc/run' in err
  assert len([x for x in err.splitlines() if x.startswith('error')]) == 1


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
def test_full_disk(finished, tmp_path, monkeypatch):
  """Writing fails as on a full disk: earlier files stay."""
  before = _files(finished)
  real = os.fsync

  def full(handle):
    with open('/dev/full', 'wb') as file:  # Raises ENOSPC, as a full disk.
      file.write(b'x')
      file.flush()
    real(handle)

  monkeypatch.setattr(os, 'fsync', full)
  code, _, err = helpers.run('--mode=eval', f'--workdir={finished}')
  assert code == 2 and 'No space left' in err and 'free some space' in err
  assert _files(finished) == before


def test_a_config_of_somebody_else_is_not_overwritten(tmp_path):
  (tmp_path / 'config.json').write_text('{"theirs": 1}')
  code, _, err = helpers.run(SMOKE, f'--workdir={tmp_path}')
  assert code == 2 and 'config.json' in err
  assert (tmp_path / 'config.json').read_text() == '{"theirs": 1}'


def test_a_config_file_with_a_mistake(tmp_path):
  for text in ('def get_config(:\n', 'def get_config():\n  return nonsense\n'):
    (tmp_path / 'c.py').write_text(text)
    code, _, err = helpers.run(f'--config={tmp_path}/c.py', '--workdir=x')
    assert code == 2 and 'config file' in err and 'Traceback' not in err


def test_a_run_killed_before_its_first_checkpoint_starts_again(tmp_path):
  exp = experiment.build(helpers.digits())
  (tmp_path / 'checkpoints').mkdir()
  other = helpers.digits(**{'train.learning_rate': 0.5})
  run_folder.store_config(tmp_path, other)
  loop.train(exp, tmp_path)  # As after a failure that asked for a change.


def _leaves(state):
  return jax.tree.leaves(jax.device_get(state))


@pytest.mark.slow
def test_a_run_is_trained_longer_as_if_in_one_go(tmp_path):
  once = experiment.build(helpers.digits())
  expected = loop.train(once, tmp_path / 'once')
  short = experiment.build(helpers.digits(**{'train.epochs': 1.4}))
  assert short.steps % short.log_every
  loop.train(short, tmp_path / 'run')
  workdir = f'--workdir={tmp_path / "run"}'
  code, _, err = helpers.run(workdir, '--config.train.epochs=3.0')
  assert code == 0, err
  again = experiment.build(helpers.digits())
  with run_folder.opened(again, tmp_path / 'run') as checkpoints:
    step, state, _ = run_folder.trained(again, checkpoints, tmp_path / 'run')
  assert step == once.steps
  for one, two in zip(_leaves(expected), _leaves(state)):
    np.testing.assert_array_equal(one, two)
    steps = checkpoints.steps()
  # Events and checkpoints come where they do in one go.
  events = (tmp_path / 'run/metrics.jsonl').read_text().splitlines()
  validated = [
    e['step'] for e in map(json.loads, events) if e['split'] == 'validation'
  ]
  assert [at for at in validated if short.steps < at < once.steps]
  assert [at for at in steps if short.steps < at < once.steps]
  code, _, err = helpers.run(workdir, '--config.train.epochs=2.0')
  assert code == 2 and f'is trained to step {once.steps}' in err
  stored = config_lib.load(tmp_path / 'run/config.json')
  assert stored.train.epochs == 3.0


def test_a_mistyped_length_is_taken_back(tmp_path):
  exp = experiment.build(helpers.digits())
  loop.train(exp, tmp_path)
  run_folder.store_config(tmp_path, helpers.digits(**{'train.epochs': 4000.0}))
  loop.train(exp, tmp_path)
  assert config_lib.load(tmp_path / 'config.json') == exp.config


def test_two_trainings_in_one_workdir(finished):
  with locks.exclusive(finished / '.lock', 'training'):
    code, _, err = helpers.run(SMOKE, f'--workdir={finished}')
  assert code == 2 and 'another process is training in' in err


@pytest.mark.slow
def test_changed_data_are_named(tmp_path):
  path = helpers.write_csv(tmp_path / 'rows.csv')
  config = helpers.write_config(
    tmp_path / 'c.py', _table(path, **{'model.memory.slots': 5})
  )
  command = f'--config={config}', f'--workdir={tmp_path / "run"}'
  assert helpers.run(*command)[0] == 0
  helpers.write_csv(path, _set(3, 0, '9.75'))
  code, _, err = helpers.run(*command)
  assert code == 2 and 'is not the one that this run was trained on' in err


def test_extreme_values_are_blamed_before_training(tmp_path):
  path = helpers.write_csv(tmp_path / 'rows.csv', _set(3, 0, '3e30'))
  changes = {'model.memory.slots': 5, 'data.scaling': 'none'}
  config = helpers.write_config(
    tmp_path / 'c.py', _table(path, **changes, **{'train.seed': 5})
  )
  code, _, err = helpers.run(f'--config={config}', f'--workdir={tmp_path}/run')
  assert code in (0, errors.TrainingDiverged.exit_code), err
  if code:
    assert 'not finite at step' in err


def test_divergence_names_step_and_replica(tmp_path):
  config = helpers.write_config(
    tmp_path / 'c.py', helpers.digits(**{'train.learning_rate': 1e30})
  )
  code, _, err = helpers.run(f'--config={config}', f'--workdir={tmp_path}/run')
  assert code == errors.TrainingDiverged.exit_code
  line = err.splitlines()[-1]
  assert 'normal_class=' in line and 'step' in line
  assert 'learning_rate' in line


@pytest.mark.slow
def test_training_and_evaluation_agree(finished):
  """A fresh process gives the same metrics as the run itself."""
  trained = json.loads((finished / 'results.json').read_text())
  process = helpers.start('--mode=eval', f'--workdir={finished}')
  out, err = process.communicate(timeout=300)
  assert process.returncode == 0, err
  assert 'memae' in out and 'report.html' in out
  again = json.loads((finished / 'results.json').read_text())
  for key in ('metrics', 'methods', 'replicas', 'baselines', 'memory'):
    assert trained[key] == again[key], key
  for key in (
      'config', 'dataset', 'checkpoint', 'score', 'metrics', 'replicas',
      'baselines', 'memory', 'throughput', 'environment',
  ):  # fmt: skip
    assert key in again
  assert again['metrics']['auroc']['n'] == 2


@pytest.mark.slow
def test_a_run_is_evaluated_however_it_is_spelled(finished, tmp_path):
  """The same results, also on a stream of few characters."""
  expected = json.loads((finished / 'results.json').read_text())['metrics']
  path = tmp_path / 'flags.txt'
  path.write_text(f'--mode=eval\n--workdir={finished}\n')
  for argv in (
    ['--config.eval.pictures=1', '-mode=eval', '--workdir', str(finished)],
    [f'--flagfile={path}', '--config.eval.baselines='],
  ):
    (finished / 'results.json').unlink()
    code, out, err = helpers.run(*argv)
    assert code == 0, err
    found = json.loads((finished / 'results.json').read_text())
    assert found['metrics'] == expected
    asked = any('pictures' in word for word in argv)
    assert ('eval.pictures draws nothing' in err) == asked
    assert 'report.html' in out
  process = helpers.start(
    str(finished), f'--output={tmp_path}/out', module='memae_jax.compare',
    variables={'PYTHONIOENCODING': 'ascii'},
  )  # fmt: skip
  out, err = process.communicate(timeout=300)
  assert process.returncode == 0 and 'comparison: ' in out, err
  assert out.isascii() and 'Traceback' not in err


def test_a_users_table_from_csv_to_report(tmp_path):
  path = helpers.write_csv(tmp_path / 'rows.csv')
  config = helpers.write_config(
    tmp_path / 'c.py', _table(path, **{'model.memory.slots': 5})
  )
  code, out, err = helpers.run(
    f'--config={config}', f'--workdir={tmp_path / "run"}'
  )
  assert code == 0, err
  results = json.loads((tmp_path / 'run' / 'results.json').read_text())
  assert results['dataset']['num_samples'] == 120
  assert results['metrics']['auroc']['mean'] is not None


@pytest.mark.slow
def test_data_without_labels(tmp_path):
  path = helpers.write_csv(tmp_path / 'rows.csv')
  config = helpers.write_config(
    tmp_path / 'c.py',
    _table(
      path,
      **{
        'model.memory.slots': 5,
        'data.label_column': '',
        'data.normal_labels': (),
        'data.drop_columns': ('label',),
      },
    ),
  )
  code, out, err = helpers.run(
    f'--config={config}', f'--workdir={tmp_path / "run"}'
  )
  assert code == 0, err
  results = json.loads((tmp_path / 'run' / 'results.json').read_text())
  assert results['metrics']['auroc']['mean'] is None
  assert results['replicas'][0]['reasons']['auroc']
  folder = tmp_path / 'run' / 'eval' / str(results['checkpoint']['step'])
  score = np.load(folder / 'scores.npz')['memae/score']
  listed = (folder / 'scores.csv').read_text().splitlines()
  columns = ',column_1,share_1,column_2,share_2,column_3,share_3'
  assert listed[0] == 'network,row,score,flagged' + columns
  assert len(listed) == 1 + len(score)
  first = listed[1].split(',')
  assert float(first[2]) == np.float32(score.max())
  assert first[3] in ('0', '1')
