"""Settings that several configs share make valid configs."""

import ml_collections
import pytest

from memae_jax import config as config_lib
from memae_jax.config import presets
from memae_jax.runtime import errors

ARGS = ml_collections.ConfigDict(
  {
    'seeds': 2,
    'variant': 'memae+ae',
    'slots': 7,
    'epochs': 1.5,
    'smoke': True,
    'protocol': 'official',
    'classes': 3,
  }
)


def test_an_experiment_takes_the_arguments_of_every_file():
  config = presets.experiment('kddcup99', ARGS)
  config.data.protocol = 'random_rows'
  config = config_lib.resolve(config)
  assert config.name == config.data.name == 'kddcup99'
  assert config.fleet.seeds == 2 and config.fleet.variants == ('memae', 'ae')
  assert config.model.memory.slots == 7 and config.train.epochs == 1.5
  assert config.eval.bootstrap == 20


def test_networks_build_on_one_another():
  config = presets.experiment('moving_shapes', ARGS)
  config.data.protocol = 'given'
  presets.video_network(config, (4, 6, 8, 10))
  presets.sharp_memory(config)
  model = config_lib.resolve(config).model
  assert (model.network, model.widths) == ('conv', (4, 6, 8, 10))
  assert model.strides == (2, 2, 2, 2) and model.time_strides == (1, 2, 2, 2)
  assert model.memory.per_position and model.memory.temperature == 0.1


@pytest.mark.parametrize(
  ('inputs', 'score'), [('pixels', 'blur_unit'), ('blur_unit', 'mse')]
)
def test_images_are_blurred_once(inputs, score):
  config = config_lib.default()
  presets.blurred_images(config, inputs)
  is_scaled = config.data.scaling == 'blur_unit'
  assert config.eval.score == score and is_scaled == (score == 'mse')


def test_other_inputs_are_refused():
  with pytest.raises(errors.UserError, match='"inputs" is "edges"; use pixels'):
    presets.blurred_images(config_lib.default(), 'edges')


@pytest.mark.parametrize(
  ('features', 'also', 'outputs', 'shares'),
  [
    ('raw', (), (), ()),
    ('lite0', (), (), ()),
    ('blur_unit+raw', ('raw',), (), ()),
    ('blur_unit+lite0', ('lite0',), ('b4', 'b10'), (1.0, 0.5)),
    ('raw+lite0+blur_unit', ('lite0', 'blur_unit'), ('b4', 'b10'), (1, 0.5, 1)),
  ],
)
def test_kinds_of_features_are_joined(features, also, outputs, shares):
  config = config_lib.default()
  config.fleet.normal_classes = (0,)
  presets.bank_of_strokes(config, features)
  options = config_lib.resolve(config).methods.bank
  assert options.features == features.partition('+')[0]
  assert options.also == also and options.shares == shares
  assert options.outputs == outputs and options.side == (64 if outputs else 0)


def test_one_class_is_normal_at_a_time():
  config = presets.experiment('mnist', ARGS)
  presets.one_class_images(config, ARGS)
  config = config_lib.resolve(config)
  assert config.paper == 'mnist' and config.fleet.normal_classes == (0, 1, 2)
  assert config.data.max_samples == 5000


def test_speeds_of_cells():
  config = presets.experiment('moving_shapes', ARGS)
  config.data.protocol, config.data.image_size = 'given', 20
  presets.speeds_of_cells(config)
  config = config_lib.resolve(config)
  assert (config.data.image_size, config.data.image_width) == (20, 30)
  assert config.data.input == 'speed' and config.data.clip_frames == 1
  assert config.methods.bank.features == 'cells'


@pytest.mark.parametrize('of_speeds', [False, True])
def test_the_fifth_frame_is_predicted_from_four(of_speeds):
  config = presets.experiment('moving_shapes', ARGS)
  config.data.protocol, config.data.image_size = 'given', 20
  presets.video_network(config, (4, 6, 8, 10))
  if of_speeds:
    presets.speeds_of_cells(config)
  presets.task(config, 'reconstruct')
  assert config_lib.resolve(config).data.clip_frames == (1 if of_speeds else 16)
  presets.task(config, 'predict')
  config = config_lib.resolve(config)
  assert config.data.clip_frames == 5 and config.model.time_strides == ()
  assert config.eval.score == ('mse' if of_speeds else 'psnr')
  with pytest.raises(errors.UserError, match='"task" is "guess"; use recon'):
    presets.task(config_lib.default(), 'guess')


def test_the_released_memory_has_its_threshold():
  config = presets.experiment('ped2', ARGS)
  presets.sharp_memory(config)
  presets.released_memory(config)
  memory = config.model.memory
  assert (memory.similarity, memory.init) == ('dot', 'uniform')
  assert memory.temperature == 1 and memory.threshold == 0.0025 * 7


def test_a_port_changes_how_the_released_code_trains():
  config = presets.experiment('moving_shapes', ARGS)
  config.data.protocol = 'given'
  presets.ported_code(config)
  config = config_lib.resolve(config)
  assert config.eval.score == 'release2019' and config.train.alpha == 0
  assert config.train.milestones == (0.5,) and config.train.batch_size == 12
  other = presets.experiment('moving_shapes', ARGS)
  other.data.protocol = 'given'
  presets.released_code(other)
  other = config_lib.resolve(other)
  assert other.model == config.model and other.eval == config.eval
  assert other.train.alpha == 2e-4 and other.train.schedule == 'constant'


def test_words_that_a_file_does_not_know():
  presets.one_of('data', 'a', ('a', 'b'))
  with pytest.raises(errors.UserError, match='"data" is "c"; use a, b'):
    presets.one_of('data', 'c', ('a', 'b'))


@pytest.mark.parametrize('name', presets.TUTORIALS)
def test_tutorials_take_data_in_the_range_of_their_outputs(name):
  config = presets.experiment('mnist', ARGS)
  presets.one_class_images(config, ARGS)
  presets.tutorial(config, name)
  config = config_lib.resolve(config)
  assert config.data.scaling == 'minmax' and config.paper == ''
  assert config.model.output_activation == 'sigmoid'
  assert config.train.loss == config.eval.score == 'bce'
  is_dense = name == 'keras_dense'
  assert config.train.batch_size == (256 if is_dense else 128)
  assert config.model.layout == ('strided' if is_dense else 'pool')


def test_networks_of_other_names_are_refused():
  config = config_lib.default()
  with pytest.raises(
    errors.UserError, match='"preset" is "keras"; use keras_d'
  ):
    presets.tutorial(config, 'keras')
  with pytest.raises(errors.UserError, match='"network" is "v3"; use v1, v2'):
    presets.mnist_network(config, 'v3')
