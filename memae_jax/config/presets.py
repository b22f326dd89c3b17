"""Settings that several files of `configs/` share.

A file in `configs/` calls what it needs of these and sets the rest itself:

  config = presets.experiment('mine', args)
  presets.conv_network(config, widths=(32, 64))
  config.data.path = 'pictures'

Each function but the first changes the config that it gets.
"""

from collections.abc import Iterable
from typing import Any

import ml_collections

from memae_jax.config import schema
from memae_jax.runtime import errors

Config = ml_collections.ConfigDict
# Rules of images that pseudo-anomalies choose among, beside the fixed one.
_CANDIDATES = ('mse', 'blur_unit', 'contrast_unit', 'ssim', 'gradient')
# Autoencoders of the Keras tutorial, each with its variant and its epochs.
TUTORIALS = {
  'keras_dense': ('ae', 50.0),
  'keras_conv': ('ae', 50.0),
  'keras_denoise': ('dae', 100.0),
}


def experiment(name: str, args: Any) -> Config:
  """Returns the defaults with what every file takes from its arguments.

  Args:
    name: of the experiment and of its data set.
    args: from `parse_arg`, with `seeds`, `variant` (names joined by "+"),
      `slots`, `epochs` and `smoke`, which makes intervals of 20 resamples.
  """
  config = schema.default()
  config.name = config.data.name = name
  config.fleet.seeds = args.seeds
  config.fleet.variants = tuple(args.variant.split('+'))
  config.model.memory.slots = args.slots
  config.train.epochs = args.epochs
  if args.smoke:
    config.eval.bootstrap = 20
  return config


def table_network(config: Config) -> None:
  """Sets the paper's network for KDDCUP99: 60, 30, 10 units and a code of 3.

  A bank keeps rows as they are.
  """
  config.methods.bank.features = 'raw'
  config.model.network = 'dense'
  config.model.widths = (60, 30, 10)
  config.model.code = 3
  config.model.activation = 'tanh'


def standard_table(config: Config) -> None:
  """Sets standard scaling, clipped at 5, and batches of 256 at Adam 1e-3."""
  config.data.scaling = 'standard'
  config.data.clip = 5.0
  config.train.batch_size = 256
  config.train.learning_rate = 1e-3


def conv_network(config: Config, widths: tuple[int, ...]) -> None:
  """Sets convolutions with batch norm and leaky ReLU.

  Args:
    config: to change.
    widths: channels of each layer of the encoder.
  """
  config.model.network = 'conv'
  config.model.widths = widths
  config.model.activation = 'leaky_relu'
  config.model.batch_norm = True


def mnist_network(config: Config, name: str) -> None:
  """Sets the network for MNIST of one of the paper's two versions.

  Args:
    config: to change.
    name: 'v2' (ICCV) or 'v1' (arXiv).

  Raises:
    UserError: `name` is something else.
  """
  one_of('network', name, ('v1', 'v2'))
  if name == 'v2':
    conv_network(config, widths=(32, 16, 8))
    config.model.kernels = (3, 3, 3)
    config.model.strides = (2, 2, 3)
    return
  conv_network(config, widths=(16, 32, 64))
  config.model.kernels = (1, 3, 3)
  config.model.strides = (2, 2, 2)
  config.model.decoder_widths = (64, 32)
  config.model.decoder_kernels = (3, 3, 3)


def picture_network(config: Config, widths: tuple[int, ...]) -> None:
  """Sets four 3x3 convolutions of stride 2, with a query at each position.

  Args:
    config: to change.
    widths: channels of the four layers.
  """
  conv_network(config, widths)
  config.model.kernels = (3, 3, 3, 3)
  config.model.strides = (2, 2, 2, 2)
  config.model.memory.per_position = True


def defect_network(config: Config, patch: int) -> None:
  """Sets the nine layers of Bergmann et al. (2019), for patches of pictures.

  All layers but the code and the output have leaky ReLU, none has batch norm;
  the code of a patch is 100 values.

  Args:
    config: to change.
    patch: pixels of a side, a multiple of 16; 128 as published.

  Raises:
    UserError: another size of patches.
  """
  if patch < 32 or patch % 16:
    raise errors.UserError(
      f'config argument "patch" is {patch}; use a multiple of 16 from 32 on'
    )
  conv_network(config, (32, 32, 32, 64, 64, 128, 64, 32, 100))
  config.model.batch_norm = False
  config.model.kernels = (4, 4, 3, 4, 3, 4, 3, 3, patch // 16)
  config.model.strides = (2, 2, 1, 2, 1, 2, 1, 1, 1)
  config.model.paddings = (1, 1, 1, 1, 1, 1, 1, 1, 0)
  config.model.linear_code = True


def defects_in_patches(config: Config, patch: int) -> None:
  """Sets what networks of patches and banks of pictures of defects share.

  Args:
    config: to change.
    patch: pixels of a side, see `defect_network`.
  """
  defect_network(config, patch)
  sharp_memory(config)
  config.model.memory.threshold = 1.0
  config.data.protocol, config.data.scaling = 'given', 'fixed'
  config.data.patch, config.data.patch_stride = patch, patch // 4
  config.data.patch_crops = 4
  config.data.patch_turn, config.data.patch_mirror = 180.0, True
  config.train.batch_size, config.train.learning_rate = 8, 2e-4
  config.eval.batch_size, config.eval.defect_area = 16, 0.0005


def video_network(config: Config, widths: tuple[int, ...]) -> None:
  """Sets the picture network for clips; three of its layers halve the time.

  Networks of others that it may be compared with are as published, or small
  beside a small one.

  Args:
    config: to change.
    widths: channels of the four layers.
  """
  picture_network(config, widths)
  config.model.time_strides = (1, 2, 2, 2)
  if max(widths) < 64:
    _small_comparators(config)


def _small_comparators(config: Config) -> None:
  """Sets AE-Conv2D and AE-Conv3D for pictures of some 32 pixels.

  They shrink these less than as published. The numbers were chosen with test
  metrics of the generated videos in sight.
  """
  config.methods.hasan.widths = (32, 32, 16)
  config.methods.hasan.kernels, config.methods.hasan.stride = (5, 3, 3), 1
  config.methods.zhao.widths = (16, 24, 32)
  config.methods.zhao.decoder_widths = (24, 16)


def speeds_of_cells(config: Config) -> None:
  """Sets networks of single frames that see how fast each cell moves.

  Block matching gives the motion; what is near the camera counts for less.
  Every row is scored by the squared error: of reconstructions, of the bank's
  nearest slots, of zeros (the speed alone) and of the frame before. A bank has
  5,000 cells, none of which stands still.

  Args:
    config: to change; its `data.image_size` is the number of rows of cells.
  """
  config.data.motion, config.data.input = 'blocks', 'speed'
  config.data.clip_frames, config.data.perspective = 1, 0.5
  config.data.image_width = config.data.image_size * 3 // 2
  conv_network(config, (16, 32, 64))
  config.model.kernels, config.model.strides = (3, 3, 3), (2, 2, 2)
  config.model.time_strides = ()
  _small_comparators(config)
  config.methods.bank.features, config.methods.bank.positions = 'cells', 64
  config.methods.bank.blur = 0.0
  config.methods.bank.select, config.methods.bank.slots = 'random', 5000
  config.methods.bank.least = 0.25
  config.train.batch_size, config.train.learning_rate = 16, 2e-3
  config.train.schedule, config.train.warmup_steps = 'cosine', 100
  config.train.alpha = 0.0
  config.eval.batch_size = 64


def task(config: Config, name: str) -> None:
  """Sets what networks of videos have to give.

  Args:
    config: to change, once its network is set.
    name: 'reconstruct', the sample; or 'predict', the fifth frame from the four
      before it. Of pictures its score is the signal-to-noise ratio, if no other
      was set.

  Raises:
    UserError: `name` is something else.
  """
  one_of('task', name, ('reconstruct', 'predict'))
  config.model.task = name
  if name == 'predict':
    config.paper = ''  # Its table is of reconstructions.
    config.data.clip_frames, config.model.time_strides = 5, ()
    if (config.eval.score, config.data.input) == ('mse', 'frames'):
      config.eval.score = 'psnr'


def one_of(name: str, value: str, known: Iterable[str]) -> None:
  """Raises UserError if an argument is none of the known words.

  Args:
    name: of the argument.
    value: of the argument.
    known: all words that it takes.
  """
  if value not in known:
    raise errors.UserError(
      f'config argument "{name}" is "{value}"; use {", ".join(known)}'
    )


def sharp_memory(config: Config) -> None:
  """Sets cosines divided by 0.1, and slots that start as encodings."""
  config.model.memory.similarity = 'cosine'
  config.model.memory.temperature = 0.1
  config.model.memory.init = 'encodings'


def released_memory(config: Config) -> None:
  """Sets the memory of the released code; see `configs/ped2.py`.

  A weight must exceed 0.0025 whatever the number of slots: 5/N for 2,000.
  """
  config.model.memory.similarity = 'dot'
  config.model.memory.temperature = 1.0
  config.model.memory.init = 'uniform'
  config.model.memory.threshold = 0.0025 * config.model.memory.slots


def released_code(config: Config) -> None:
  """Sets the memory of the authors' code, and its score of 2019.

  The code of 2021 scores by `mae_clip`, which is in the table of rules.
  """
  released_memory(config)
  config.eval.score = 'release2019'


def ported_code(config: Config) -> None:
  """Sets what a well-known port of the authors' code changes.

  The entropy does not count, batches are of 12, and the learning rate falls to
  a fifth after half of the training. That the port minimises a root of summed
  squares is left out.
  """
  released_code(config)
  config.train.alpha, config.train.batch_size = 0.0, 12
  config.train.schedule = 'steps'
  config.train.milestones, config.train.decay = (0.5,), 0.2


def tutorial(config: Config, name: str, code: int = 32) -> None:
  """Sets an autoencoder of images after the Keras tutorial.

  Data in [0, 1], ReLU, a sigmoid at the end, binary cross-entropy, and Adam at
  its usual rate. Initial weights are drawn as elsewhere in this project.

    keras_dense    32 units (`code`) between the pixels
    keras_conv     16, 8, 8 channels, each with a pool; back from 4 rows come
                   8, then 16, of which a convolution without padding makes 14
    keras_denoise  32, 32 channels; inputs with noise of 0.5, cut to [0, 1]

  Args:
    config: to change; it gets no other network.
    name: one of `TUTORIALS`.
    code: units of keras_dense.

  Raises:
    UserError: `name` is something else.
  """
  one_of('preset', name, TUTORIALS)
  config.paper = ''  # Its table is of other networks.
  config.data.scaling = 'minmax'
  config.model.activation, config.model.output_activation = 'relu', 'sigmoid'
  config.train.loss = config.eval.score = 'bce'
  config.train.noise, config.train.noise_range = 0.5, (0.0, 1.0)
  config.train.learning_rate, config.train.batch_size = 1e-3, 128
  if name == 'keras_dense':
    config.model.widths, config.model.code = (), code
    config.model.code_activation = 'relu'
    config.train.batch_size = 256
    return
  config.model.network, config.model.layout = 'conv', 'pool'
  config.model.widths = (16, 8, 8) if name == 'keras_conv' else (32, 32)
  config.model.surplus = 'convolve'


def blurred_images(config: Config, inputs: str) -> None:
  """Sets what one-class networks on strokes see, and how they are scored.

  Args:
    config: to change.
    inputs: 'pixels', in [-1, 1], scored by `blur_unit`; or 'blur_unit', where
      the squared error is such a distance itself.

  Raises:
    UserError: `inputs` is something else.
  """
  scalings = {'pixels': 'fixed', 'blur_unit': 'blur_unit'}
  if inputs not in scalings:
    raise errors.UserError(
      f'config argument "inputs" is "{inputs}"; use pixels or blur_unit'
    )
  config.data.scaling = scalings[inputs]
  config.eval.score = 'blur_unit' if inputs == 'pixels' else 'mse'


def bank_of_strokes(config: Config, features: str) -> None:
  """Sets what a bank of drawn or written things compares.

  Args:
    config: to change.
    features: see `methods.bank.features`; several are joined by "+". Beside
      others 'lite0' stands for its outputs b4 and b10 at 64 pixels, by half.
  """
  first, *others = features.split('+')
  options = config.methods.bank
  options.features, options.also = first, tuple(others)
  if 'lite0' in others:
    options.outputs, options.side = ('b4', 'b10'), 64
    options.shares = (1.0, *(0.5 if o == 'lite0' else 1.0 for o in others))


def bank_of_maps(config: Config, features: str) -> None:
  """Sets the bank of a surface: slots far apart among those of positions.

  Args:
    config: to change.
    features: see `methods.bank.features`; 'lite0' stands for its maps, which
      a dictionary then has, too.
  """
  config.methods.bank.features = features.replace('lite0', 'lite0_maps')
  if features == 'lite0':
    config.methods.dictionary.features = 'lite0_maps'
  config.methods.bank.select = 'k_centre'
  config.methods.bank.positions = 256


def one_class_images(config: Config, args: Any) -> None:
  """Sets the paper's experiment with one class of images normal at a time.

  Args:
    config: to change.
    args: from `parse_arg`, with `protocol`, `classes` (how many) and `smoke`,
      which takes 5,000 images.
  """
  config.paper = config.name  # Not shown where the test set is another.
  config.data.protocol = args.protocol
  config.eval.candidates = _CANDIDATES
  config.fleet.normal_classes = tuple(range(args.classes))
  config.train.batch_size = 64
  config.train.learning_rate = 1e-3
  config.eval.batch_size = 256
  # Thousands of small images: a third of the published search, by larger steps.
  config.methods.anogan.steps, config.methods.anogan.rate = 100, 0.05
  if args.smoke:
    config.data.max_samples = 5000
