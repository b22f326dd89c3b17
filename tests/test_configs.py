"""The schema, and each file in configs/ from its first step to its report."""

import json
import runpy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.data import prepare
from memae_jax.evaluation.metrics import defect_area, money
from memae_jax.evaluation.results import published
from memae_jax.models import memae
from memae_jax.runtime import errors
from memae_jax.training import experiment
from tests import fakes, helpers
from tests.models import variant as variant_lib

CONFIGS = sorted(path.stem for path in (helpers.ROOT / 'configs').glob('*.py'))
QUICK = 'digits', 'kddcup99'
# Sets whose samples have names, which are listed beside their scores.
FOLDERS = 'image_folder', 'mvtec'
LISTED = ('arrays', 'creditcard', 'frames', 'moving_shapes', 'ped2', *FOLDERS)


def _get(name, arg=''):
  path = helpers.ROOT / 'configs' / f'{name}.py'
  return runpy.run_path(str(path))['get_config'](arg)


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow])
    for name in CONFIGS
  ],
)
def test_from_first_step_to_report(name, tmp_path, monkeypatch):
  argument, fields = 'smoke', []
  if name == 'ped2':
    fakes.ucsd_ped2(tmp_path, monkeypatch)
  if name == 'creditcard':
    fakes.creditcard(tmp_path, monkeypatch)
  if name == 'frames':
    argument += f',path={fakes.frames(tmp_path / "videos")}'
    fields = ['--config.data.clip_frames=8']
  if name in prepare.BUILDERS:
    getattr(fakes, name)(tmp_path, monkeypatch)
  if name in FOLDERS:
    argument += f',path={fakes.pictures(tmp_path / "screw")}'
    fields = ['--config.eval.defect_area=0.005']
  if name in ('cifar10', 'mnist'):
    argument += ',classes=1'  # Of digits there are two.
  if name == 'mvtec':
    argument += ',variant=memae'  # Textures have the same two networks.
  if name in ('mvtec', 'textures'):  # Nine layers; image_folder has these.
    fields += [
      f'--config.eval.{part}=False'
      for part in ('pseudo', 'odd_inputs', 'embedding')
    ]
  if name == 'one_image':
    argument += f',path={fakes.pictures(tmp_path / "screw")}'
  if name == 'arrays':
    path = helpers.write_csv(tmp_path / 'rows.csv')
    argument += f',path={path},label=label,normal=good,categorical=kind'
  run = tmp_path / 'run'
  code, out, err = helpers.run(
    f'--config={helpers.ROOT}/configs/{name}.py:{argument}',
    f'--workdir={run}',
    '--config.train.epochs=0.01',
    *fields,
  )
  assert code == 0, err
  results = json.loads((run / 'results.json').read_text())
  assert results['name'] == name
  if name == 'one_image':
    _check_foretold(results, run)
    return
  assert results['checkpoint']['step'] == 1
  events = [
    json.loads(line)
    for line in (run / 'metrics.jsonl').read_text().splitlines()
  ]
  assert [(e['step'], e['split']) for e in events] == [
    (0, 'validation'),
    (1, 'train'),
    (1, 'validation'),
  ]
  assert all(np.isfinite(e['reconstruction']) for e in events)
  assert 0 <= events[0]['dead_read_rate'] <= 1
  listed = name in LISTED
  assert (run / 'eval' / '1' / 'scores.csv').exists() == listed
  page = (run / 'report.html').read_text()
  assert '<html' in page
  has_defects = name in (*FOLDERS, 'textures')
  assert ('Defects by area' in page) == has_defects
  assert (results['defects'] is not None) == has_defects
  if name == 'image_folder':
    _check_defects(results, page)
  assert (results['money'] is not None) == (name == 'creditcard')
  if name == 'creditcard':
    _check_money(results, page)
  assert list((run / 'eval').glob('*/*.svg'))
  assert 'http://' not in page.replace('http://www.w3.org', '')


def _check_foretold(results, run):
  """Of pictures that stand alone, which have no validation."""
  assert results['dataset']['protocol'] == 'alone'
  assert results['dataset']['split']['validation'] == {'min': 0, 'max': 0}
  assert set(results['methods']) == {
    'nkn', 'rest_mean', 'period_shift', 'axis_median', 'own_patches',
  }  # fmt: skip
  for summary in results['methods'].values():
    assert 0 <= summary['auroc']['mean'] <= 1
    assert 0 <= summary['pixel_auroc']['mean'] <= 1
  ((network, lines),) = results['foretold'].items()
  assert len(lines) == results['dataset']['split']['test']['min']
  assert results['checkpoint']['step'] == len(lines)  # A pass for each.
  assert all(line['mean_z2'] > 0 for line in lines)
  folder = run / 'eval' / str(len(lines))
  arrays = np.load(folder / 'maps.npz')
  assert arrays[f'{network}/sigma'].shape == (len(lines), 16, 16)
  assert len(list((folder / 'foretold').iterdir())) == 3
  page = (run / 'report.html').read_text()
  assert 'say of itself?' in page and 'each test picture trains on' in page
  assert 'saw nothing but the test samples' in page
  assert 'on normal samples only' not in page
  assert 'What can they not reconstruct?' not in page


def _check_defects(results, page):
  """Of methods and of rivals, for pictures of 32 pixels."""
  facts = results['defects']
  assert facts['areas'] == {'_quarter': 1, '': 5, '_fourfold': 20}
  assert facts['picture'] == [32, 32]
  assert facts['published']['category'] == 'screw'
  assert 'AE (L2), as published' in page and '0.98 / 0.39' in page
  with_maps = ('memae', 'ae'), ('mean', 'pca', 'local_deviation_7')
  for group, names in zip(('methods', 'baselines'), with_maps):
    for summary in map(results[group].get, names):
      for metric in defect_area.METRICS:
        assert summary[metric]['mean'] is not None, metric
    for name in names:
      rules = results['rules'][name]
      assert 0 <= rules['max_cell']['auroc']['mean'] <= 1
      assert 0 <= rules['mean_cell']['auroc']['mean'] <= 1


def _check_money(results, page):
  """Of methods and of rivals; average precision comes first."""
  facts, dataset = results['money'], results['dataset']
  assert set(facts['methods']) == {*results['methods'], *results['baselines']}
  assert dataset['protocol'] == 'given' and facts['test']['frauds'] > 0
  assert dataset['notes']['removed_as_equal_to_test'] > 0
  for group in ('methods', 'baselines'):
    for name, summary in results[group].items():
      for metric in money.METRICS:
        assert summary[metric]['mean'] is not None, (name, metric)
  place = facts['alarms_per_day'].index(100)
  caught = facts['methods']['ae']['curve'][place]
  mean = results['methods']['ae']['amount_at_alarms']['mean']
  assert caught['amount_share'] == pytest.approx(mean)
  assert 'MemAE reaches Average precision' in page
  assert 'With 100 alarms per day it catches' in page
  assert 'What do alarms catch?' in page and 'id="money"' in page


def test_both_recipes_of_card_fraud():
  get = lambda words='': config_lib.resolve(_get('creditcard', words))
  honest, tutorial = get(), get('recipe=tutorial')
  assert honest.data.protocol == 'given' and honest.data.time_input == 'none'
  assert honest.model.output_activation == 'none' and honest.data.log1p
  assert tutorial.data.protocol == 'random_rows'
  assert tutorial.data.time_input == 'seconds'
  assert tutorial.fleet.variants[0] == 'ae_l1'
  assert (tutorial.train.epochs, tutorial.train.batch_size) == (100, 128)
  x = jnp.zeros((2, 30))
  model = memae.build(tutorial.model, (30,), None)
  out, variables = jax.eval_shape(
    lambda: model.init_with_output(jax.random.key(0), x, variant_lib.knobs())
  )
  sizes = [leaf.size for leaf in jax.tree.leaves(variables)]
  assert sum(sizes) == 835 and out.code.shape == (2, 7)
  both = get('recipe=tutorial,split=time'), get('split=random,time=time_of_day')
  assert [c.data.protocol for c in both] == ['given', 'random_rows']
  for config in (honest, tutorial, *both):
    assert config.eval.headline == 'average_precision' and config.data.disjoint
  assert len(get('variant=all').fleet.variants) == 10
  with pytest.raises(errors.UserError, match='"split" is "day"; use random'):
    _get('creditcard', 'split=day')


@pytest.mark.slow  # It trains.
def test_the_tutorial_of_card_fraud_to_its_report(tmp_path, monkeypatch):
  fakes.creditcard(tmp_path, monkeypatch, rows=600)
  code, _, err = helpers.run(
    f'--config={helpers.ROOT}/configs/creditcard.py:smoke,recipe=tutorial,'
    'variant=ae_l1+ae',
    f'--workdir={tmp_path / "run"}',
    '--config.eval.baselines=mean',
    '--config.train.epochs=0.1',
  )
  assert code == 0, err
  results = json.loads((tmp_path / 'run/results.json').read_text())
  assert results['headline'] == 'ae_l1' and results['money']
  page = (tmp_path / 'run/report.html').read_text()
  assert 'AE-L1 reaches Average precision' in page


_PARAMETERS = {'keras_dense': 50992, 'keras_conv': 4385, 'keras_denoise': 28353}
_SETTINGS = {  # Of MNIST: variant, epochs, batch.
  'keras_dense': ('ae', 50, 256),
  'keras_conv': ('ae', 50, 128),
  'keras_denoise': ('dae', 100, 128),
}


@pytest.mark.parametrize('preset', _PARAMETERS)
def test_autoencoders_of_the_tutorial(preset):
  config = config_lib.resolve(_get('mnist', f'preset={preset}'))
  train, (variant,) = config.train, config.fleet.variants
  assert (variant, train.epochs, train.batch_size) == _SETTINGS[preset]
  x = jnp.zeros((2, 28, 28, 1))
  model, knobs = (
    memae.build(config.model, x.shape[1:], None),
    variant_lib.knobs(),
  )
  out, variables = jax.eval_shape(
    lambda: model.init_with_output(jax.random.key(0), x, knobs)
  )
  sizes = [leaf.size for leaf in jax.tree.leaves(variables)]
  assert sum(sizes) == _PARAMETERS[preset]
  assert out.reconstruction.shape == x.shape
  assert out.code.size // 2 == {50992: 32, 4385: 128, 28353: 1568}[sum(sizes)]
  small = config_lib.resolve(_get('digits', f'preset={preset},seeds=2'))
  assert small.train.loss == 'bce' and small.train.batch_size == 32
  code = memae.build(small.model, (8, 8, 1), None).code_shape
  assert np.prod(code) == (128 if preset == 'keras_denoise' else 8)


@pytest.mark.slow
@pytest.mark.parametrize(
  ('name', 'preset', 'variants'),
  [
    ('digits', 'keras_dense', ['dae', 'memae']),
    ('mnist', 'keras_conv', ['memae', 'ae']),
  ],
)
def test_tutorials_from_first_step_to_report(
  name, preset, variants, tmp_path, monkeypatch
):
  """Slow, as two networks and their scores are compiled."""
  if name == 'mnist':
    fakes.mnist(tmp_path, monkeypatch)
  run = tmp_path / 'run'
  words = f'smoke,preset={preset},variant={"+".join(variants)},classes=1'
  code, _, err = helpers.run(
    f'--config={helpers.ROOT}/configs/{name}.py:{words}',
    f'--workdir={run}',
    '--config.train.epochs=0.01',
    '--config.eval.baselines=mean',
    '--config.eval.pseudo=False',
  )
  assert code == 0, err
  results = json.loads((run / 'results.json').read_text())
  assert results['score']['name'] == 'bce' and results['paper'] is None
  assert set(results['rules']) == {*variants, 'mean'}
  assert {'mse', 'bce'} <= set(results['rules']['mean'])
  assert (run / 'eval/1/odd_inputs_0.png').exists()
  assert 'What can they not reconstruct?' in (run / 'report.html').read_text()


def test_a_loss_of_probabilities_needs_data_and_outputs_of_its_range():
  config = config_lib.resolve(_get('digits', 'preset=keras_dense'))
  for field, value, words in (
    ('data.scaling', 'fixed', '"bce", which samples .* do not have under'),
    ('model.output_activation', 'relu', 'set model.output_activation to "sigm'),
  ):
    with pytest.raises(errors.UserError, match=words):
      experiment.build(config_lib.changed(config, {field: value}))


def test_each_file_is_read_at_a_glance():
  for path in (helpers.ROOT / 'configs').rglob('*.py'):
    assert len(path.read_text().splitlines()) < 60, path


@pytest.mark.parametrize('name', CONFIGS)
def test_defaults_and_arguments(name):
  config = config_lib.resolve(_get(name))
  assert config.name == name
  assert config_lib.resolve(json.loads(config_lib.to_json(config))) == config
  words = 'variant=ae,seeds=2,slots=7,epochs=1.5'  # Every config takes these.
  one = config_lib.resolve(_get(name, words))
  assert one.fleet.variants == ('ae',) and one.fleet.seeds == 2
  assert one.model.memory.slots == 7 and one.train.epochs == 1.5
  quick = config_lib.resolve(_get(name, 'seeds=3,smoke,slots=7'))
  assert quick.fleet.seeds == 3 and quick.model.memory.slots == 7
  # Pictures that stand alone are one pass.
  assert quick.train.epochs < config.train.epochs or name == 'one_image'
  with pytest.raises(errors.UserError, match='sedes.*did you mean "seeds"'):
    _get(name, 'sedes=3')


def test_the_paper_is_the_default():
  config = config_lib.resolve(_get('kddcup99'))
  assert config.fleet.seeds == 20
  assert config.fleet.variants == ('memae', 'nonspar', 'ae')
  assert config.model.memory.slots == 50 and config.model.code == 3
  assert config.eval.flag_ratio == 0.2 and config.data.train_fraction == 0.5


@pytest.mark.parametrize('recipe', ['released', 'port'])
def test_recipes_of_the_released_code(recipe):
  config = config_lib.resolve(_get('ped2', f'recipe={recipe}'))
  memory, train = config.model.memory, config.train
  assert memory.similarity == 'dot' and memory.temperature == 1
  assert memory.init == 'uniform' and memory.slots == 2000
  assert memory.threshold == pytest.approx(5)  # Lambda 0.0025 in 1/N.
  few = config_lib.resolve(_get('ped2', f'recipe={recipe},slots=1000'))
  assert few.model.memory.threshold == pytest.approx(2.5)
  assert config.eval.score == 'release2019' and config.paper == 'ped2'
  assert config.data.image_size == 256 and train.learning_rate == 1e-4
  found = train.alpha, train.batch_size, train.epochs, train.schedule
  if recipe == 'released':
    assert found == (2e-4, 10, 100, 'constant')
  else:  # Epoch 40 of 80.
    assert found == (0, 12, 80, 'steps')
    assert (train.milestones, train.decay) == ((0.5,), 0.2)


@pytest.mark.slow  # It trains.
def test_dead_reads_of_the_released_code_are_shown(tmp_path, monkeypatch):
  fakes.ucsd_ped2(tmp_path, monkeypatch)
  words = 'smoke,recipe=port,slots=2000,variant=memae+ae'
  code, _, err = helpers.run(
    f'--config={helpers.ROOT}/configs/ped2.py:{words}',
    f'--workdir={tmp_path / "run"}',
    '--config.train.epochs=0.01',
  )
  assert code == 0, err
  results = json.loads((tmp_path / 'run/results.json').read_text())
  assert results['score']['name'] == 'release2019'
  assert results['memory']['memae']['dead_read_rate'] > 0.5
  page = (tmp_path / 'run/report.html').read_text()
  assert 'Dead reads' in page and 'memories mostly return zeros' in page


def test_the_recipes_of_ped2_and_a_word_of_before():
  paper = config_lib.resolve(_get('ped2'))
  assert paper.eval.score == 'mse' and paper.train.epochs == 60
  motion = config_lib.resolve(_get('ped2', 'recipe=motion'))
  assert motion.data.input == 'speed' and motion.paper == ''
  assert 'bank' in motion.fleet.variants and motion.data.image_size == 64
  assert motion.model.memory.slots == 200 and motion.train.epochs == 6
  words = '"released" is unknown .known: data, .*, recipe'
  with pytest.raises(errors.UserError, match=words):
    _get('ped2', 'released')
  with pytest.raises(errors.UserError, match='use paper, motion, released, po'):
    _get('ped2', 'recipe=ported')


def test_each_published_video_set_has_its_own_numbers():
  found = {}
  for data in ('ucsd_ped2', 'cuhk_avenue', 'shanghaitech'):
    config = config_lib.resolve(_get('ped2', f'data={data}'))
    assert config.data.name == data
    found[data] = published.beside(config)['variants']['memae']
  assert [v['auroc_normalised'] for v in found.values()] == [
    0.941,
    0.833,
    0.712,
  ]
  other = config_lib.changed(config, {'data.name': 'ucsd_ped2'})
  assert published.beside(other) is None
  with pytest.raises(errors.UserError, match='"data" is "avenue"; use ucsd'):
    _get('ped2', 'data=avenue')
