"""The config of a run is the one in its checkpoints, field by field."""

import json
import re

import jax
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax import export
from memae_jax.evaluation import command
from memae_jax.evaluation.scoring import collect
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop, run_folder, same
from tests import helpers

# Another sound value for each field that decides what a run is. The others
# may differ: they change no weight and no sample.
DECIDE = {
  'data.name': 'mnist',
  'data.protocol': 'official',
  'data.train_fraction': 0.5,
  'data.validation_fraction': 0.2,
  'data.anomaly_fraction': 0.1,
  'data.unique_train': True,
  'data.disjoint': True,
  'data.max_samples': 500,
  'data.scaling': 'minmax',
  'data.log1p': True,
  'data.clip': 2.0,
  'data.image_size': 8,
  'data.colour': 'grey',
  'data.label_column': 'label',
  'data.normal_labels': ['1'],
  'data.missing': 'median',
  'data.unknown_category': 'zero',
  'model.widths': [16, 8],
  'model.code': 4,
  'model.activation': 'relu',
  'model.batch_norm': True,
  'model.compute': 'bfloat16',
  'model.memory.slots': 12,
  'model.memory.similarity': 'dot',
  'model.memory.temperature': 2.0,
  'model.memory.threshold': 0.5,
  'model.memory.on_empty': 'top1',
  'model.memory.shrink_gradient': 'published',
  'model.memory.init': 'encodings',
  'train.seed': 7,
  'train.batch_size': 8,
  'train.accumulate': 2,
  'train.learning_rate': 0.1,
  'train.schedule': 'cosine',
  'train.warmup_steps': 3,
  'train.clip_norm': 1.0,
  'train.weight_decay': 0.1,
  'train.alpha': 0.1,
  'train.noise': 0.1,
  'train.kl_weight': 0.2,
  'train.fleet_map': 'vmap',
  'fleet.seeds': 2,
  'fleet.normal_classes': [3, 7],
  'fleet.variants': ['memae', 'ae'],
  'fleet.slots': [10, 12],
  'fleet.thresholds': [0.5, 1.0],
  'fleet.alphas': [0.1],
  'fleet.learning_rates': [0.1],
  'eval.checkpoint': 'validation',
}
FREE = {
  'name': 'another',
  'paper': 'mnist',
  'data.data_dir': '/elsewhere',
  'data.path': '/elsewhere/file',
  'data.feed': 'streaming',
  'data.resident_bytes': 1,
  'mesh.data': 1,
  'model.memory.read': 'streaming',
  'train.epochs': 9.0,
  'train.log_every': 3,
  'train.validate_every': 3,
  'train.checkpoint_every': 3,
  'train.keep': 5,
  'train.keep_all': True,
  'eval.score': 'mae_clip',
  'eval.bootstrap': 3,
  'eval.normal_quantile': 0.5,
  'eval.alarms_per_day': 7,
}


def _changed(config, fields):
  values = {
    k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()
  }
  return config_lib.changed(config, values)


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A trained run: its experiment, its folder and its config as text."""
  folder = tmp_path_factory.mktemp('same')
  exp = experiment.build(helpers.digits(**{'train.epochs': 1.0}))
  loop.train(exp, folder)
  return exp, folder, (folder / 'config.json').read_text()


@pytest.fixture
def edited(run):
  """Changes the config.json of the run by hand, for one test."""
  exp, folder, text = run

  def edit(fields):
    run_folder.store_config(folder, _changed(exp.config, fields))

  yield edit
  (folder / 'config.json').write_text(text)


def _origin(exp):
  return json.loads(json.dumps(exp.meta))


@pytest.mark.parametrize('field', DECIDE)
def test_a_config_edited_by_hand_is_not_believed(run, edited, field):
  exp, folder, _ = run
  edited({field: DECIDE[field]})
  config = config_lib.load(folder / 'config.json')
  line = f'{re.escape(field)}: .* there, .* now.*config.json was changed'
  if field.startswith('data.') and not config_lib.has_role(
    field, config_lib.fields.SCALES
  ):
    trained = same.there(_origin(exp), folder)
    assert same.names_other_data(trained, config)
    with pytest.raises(errors.UserError, match=line):
      same.check(trained, config, folder)
    return
  with pytest.raises(errors.UserError, match=line):
    command.evaluate_run(folder, config, 'latest', False)


@pytest.mark.parametrize('field', FREE)
def test_what_may_differ(run, field):
  exp, folder, _ = run
  trained = same.there(_origin(exp), folder)
  same.check(trained, _changed(exp.config, {field: FREE[field]}), folder)


@pytest.mark.parametrize('steps', ['latest', 'all', 'best'])
def test_other_classes_of_the_same_data(run, edited, steps):
  _, folder, _ = run
  edited({'fleet.normal_classes': [3, 7]})
  code, _, err = helpers.run(
    '--mode=eval', f'--workdir={folder}', f'--steps={steps}'
  )
  assert code == 2 and 'fleet.normal_classes: (0, 1) there, (3, 7) now' in err
  assert not (folder / 'results.json').exists()


@pytest.mark.parametrize(
  ('field', 'value'),
  [('fleet.normal_classes', [3, 7]), ('data.train_fraction', 0.5)],
)
def test_all_that_reads_a_run(run, edited, tmp_path, field, value):
  exp, folder, text = run
  edited({field: value})
  config = config_lib.load(folder / 'config.json')
  with pytest.raises(errors.UserError, match=field):
    export.to_file(folder, tmp_path / 'file')
  with pytest.raises(errors.UserError, match=field):  # As `convert` does.
    collect.restored(experiment.build(config), folder)
  code, _, err = helpers.run(f'--workdir={folder}')  # Resumes.
  assert code == 2 and field in err
  with pytest.raises(errors.UserError, match=field):
    command.evaluate_run(folder, config, 'all', False)
  # Whoever names the right config is not misled by the file, and mends it.
  loop.train(exp, folder)
  assert (folder / 'config.json').read_text() == text


def test_a_checkpoint_of_an_earlier_version(run, tmp_path):
  exp, folder, text = run
  stored = _origin(exp)
  del stored['config']['data']['unknown_category']
  del stored['config']['model']['memory']['on_empty']
  same.check_origin(exp, stored, folder)
  other = _changed(exp.config, {'model.memory.on_empty': 'top1'})
  with pytest.raises(errors.UserError, match='on_empty'):
    same.check(same.there(stored, folder), other, folder)
  del stored['config']
  same.check_origin(exp, stored, folder)
  with pytest.raises(errors.UserError, match='config.json does not exist'):
    same.there(stored, tmp_path)


def test_a_checkpoint_of_a_later_version(run):
  exp, folder, _ = run
  stored = _origin(exp)
  stored['config']['train']['of_the_future'] = 1
  with pytest.raises(errors.UserError, match='of_the_future.*that version'):
    same.check_origin(exp, stored, folder)


@pytest.mark.parametrize(
  ('fields', 'changes', 'words'),
  [
    ({'train.schedule': 'cosine'}, {'train.epochs': 9.0}, 'train.epochs: 3.0'),
    (
      {'eval.checkpoint': 'validation'},
      {'train.epochs': 9.0},
      'train.epochs: 3.0',
    ),
    (
      {'eval.checkpoint': 'validation'},
      {'train.log_every': 9},
      'train.log_every: 4 there, 9 now.*decides what is kept',
    ),
    (
      {'eval.checkpoint': 'validation'},
      {'train.validate_every': 9},
      'train.validate_every: 8 there, 9 now.*decides what is kept',
    ),
  ],
)
def test_what_depends_on_the_schedule_or_the_rule(
  tmp_path, fields, changes, words
):
  before = helpers.digits(**fields)
  with pytest.raises(errors.UserError, match=words):
    same.check(before, _changed(before, changes), tmp_path)


_SLOW = [
  {'train.log_every': 1, 'train.validate_every': 1},
  {'train.log_every': 0, 'train.validate_every': 0},
  {'train.log_every': 1000},
]


@pytest.mark.parametrize(
  'changes',
  [
    {'train.log_every': 3},
    *(pytest.param(fields, marks=pytest.mark.slow) for fields in _SLOW),
  ],
)
def test_when_a_run_logs_changes_no_weight(tmp_path, changes):
  exp = experiment.build(helpers.digits())
  expected = jax.device_get(loop.train(exp, tmp_path / 'once'))
  short = experiment.build(helpers.digits(**{'train.epochs': 1.4}))
  loop.train(short, tmp_path / 'run')
  other = experiment.build(helpers.digits(**changes))
  resumed = jax.device_get(loop.train(other, tmp_path / 'run'))
  for one, two in zip(jax.tree.leaves(expected), jax.tree.leaves(resumed)):
    np.testing.assert_array_equal(one, two)
