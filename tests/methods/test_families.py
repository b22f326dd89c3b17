"""A run of several families: killed between and inside them, and resumed."""

import itertools
import json

import jax
import numpy as np
import pytest

from memae_jax.methods import base, fitted
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop
from tests import helpers
from tests.methods import resuming

FIELDS = {'fleet.variants': ('memae', 'ae', 'pca', 'mean'), 'train.epochs': 1.0}


def _build():
  return experiment.build(helpers.digits(**FIELDS))


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
  run = tmp_path_factory.mktemp('straight')
  exp = _build()
  loop.train(exp, run)
  assert [member.place for member in exp.members] == ['', 'pca', 'mean']
  kept = {path.name for path in (run / 'checkpoints').iterdir()}
  assert {'pca', 'mean', str(exp.steps)} <= kept
  return resuming.trained(exp, run)


@pytest.mark.parametrize('where', ['between', 'inside'])
def test_what_was_killed_goes_on_bit_for_bit(
  where, straight, tmp_path, monkeypatch
):
  real = fitted.Fitted.finish

  def killed(self, *given):
    if where == 'inside' or self.name == 'mean':
      raise resuming.Killed
    return real(self, *given)

  exp = _build()
  with monkeypatch.context() as patch, pytest.raises(resuming.Killed):
    patch.setattr(fitted.Fitted, 'finish', killed)
    loop.train(exp, tmp_path)
  assert (tmp_path / 'checkpoints' / str(exp.steps)).is_dir()
  exp = _build()
  loop.train(exp, tmp_path)
  for one, two in zip(straight, resuming.trained(exp, tmp_path), strict=True):
    jax.tree.map(np.testing.assert_array_equal, one, two)


def test_stages_follow_one_another():
  exp = _build()
  pca = exp.others[0]
  assert pca.steps == 1 and pca.stage(0) == (0, 1, 0)
  assert isinstance(pca.trainer.method.stages[0], base.Collect)
  assert exp.stage(exp.steps - 1) == (0, exp.steps, 0)
  member, index = exp.find('pca/normal_class=1')
  assert member is pca and member.replicas[index].normal_class == 1
  with pytest.raises(errors.UserError, match='did you mean "pca'):
    exp.find('pca/normal_class=7')


STAGED = {
  'fleet.variants': ('memae', 'encoder_bank', 'feature_memae'),
  'fleet.normal_classes': (1,),
  'model.memory.init': 'k_means',
  'train.epochs': 0.5,
  'train.log_every': 1,
  'train.checkpoint_every': 1,
}


@pytest.mark.slow  # Three families compile.
@pytest.mark.parametrize('checkpoint', ['last', 'validation'])
def test_stages_go_on_bit_for_bit(checkpoint, tmp_path):
  """Killed before and after each pass, as often as there are stages."""
  build = lambda: experiment.build(
    helpers.digits(**STAGED | {'eval.checkpoint': checkpoint})
  )
  last = {member.family: member.steps for member in build().members}
  stops = [
    ('autoencoder', 1),
    ('encoder_bank', last['encoder_bank'] - 1),
    ('feature_memae', 1),
    ('feature_memae', 2),
    ('feature_memae', 3),
  ]
  _, advanced = resuming.check(build, tmp_path, stops)
  assert advanced == sum(last.values())  # No step is taken twice.


@pytest.mark.slow  # A run from its first step to its report.
def test_memories_of_features_stand_beside_banks_and_memae(tmp_path):
  names = 'feature_memae', 'feature_ae', 'bank', 'encoder_bank', 'memae', 'ae'
  code, _, err = helpers.run(
    f'--config={helpers.ROOT}/configs/digits.py:smoke,variant={"+".join(names)}',
    f'--workdir={tmp_path}',
    '--config.eval.baselines=mean',
  )
  assert code == 0, err
  results = json.loads((tmp_path / 'results.json').read_text())
  assert set(results['methods']) == set(names)
  pairs = set(results['differences'])
  for a, b in itertools.combinations(names[:1] + names[2:], 2):
    assert {f'{a} - {b}', f'{b} - {a}'} & pairs or (a, b) == ('bank', 'ae')
  assert {'feature_memae - feature_ae', 'feature_memae - bank'} <= pairs
  paired = results['differences']['feature_memae - bank']['auroc']
  methods = results['methods']
  difference = methods['feature_memae']['auroc']['mean']
  difference -= methods['bank']['auroc']['mean']
  assert paired['mean'] == pytest.approx(difference)
  families = results['families']
  assert families['encoder_bank']['score']['name'] == 'memory_distance'
  assert results['score']['name'] == 'feature_error'
  rules = {name: set(found) for name, found in results['rules'].items()}
  assert rules['feature_memae'] == {'feature_error', 'memory_distance'}
  assert rules['feature_ae'] == {'feature_error'}
  assert {'mse', 'memory_distance'} < rules['encoder_bank']
  page = (tmp_path / 'report.html').read_text()
  for text in ('MemAE of features', 'AE of features', 'Bank of encodings'):
    assert text in page


@pytest.mark.slow  # Compiles two families, and one for their comparison.
@pytest.mark.parametrize('noise', [1.0, 0.5])
def test_twins_train_once_if_their_settings_are_the_same(
  noise, tmp_path, monkeypatch
):
  """With the weights that the second one gets if it is trained alone."""
  fields = {
    'fleet.normal_classes': (3,),
    'methods.dsebm_e.widths': (4,),
    'methods.dsebm_r.widths': (4,),
    'methods.dsebm_r.noise': noise,
    'eval.checkpoint': 'validation',
  }

  def build(*names):
    return experiment.build(
      helpers.digits(**fields, **{'fleet.variants': names})
    )

  trained, advance = [], loop.advance

  def counted(exp, *given):
    trained.append(exp.family)
    return advance(exp, *given)

  with monkeypatch.context() as patch:
    patch.setattr(loop, 'advance', counted)
    both = build('dsebm_e', 'dsebm_r')
    loop.train(both, tmp_path / 'both')
    once = ['dsebm_e'] if noise == 1 else ['dsebm_e', 'dsebm_r']
    assert sorted(set(trained)) == once
    trained.clear()
    loop.train(build('dsebm_e', 'dsebm_r'), tmp_path / 'both')
    assert not trained  # It is all there.
  first, second = resuming.trained(both, tmp_path / 'both')
  same = jax.tree.map(np.array_equal, first.params, second.params)
  assert all(jax.tree.leaves(same)) == (noise == 1)
  if noise != 1:
    return
  alone = build('dsebm_r')
  loop.train(alone, tmp_path / 'alone')
  (expected,) = resuming.trained(alone, tmp_path / 'alone')
  jax.tree.map(np.testing.assert_array_equal, second, expected)
