"""The methods of this package, one entry each."""

from memae_jax.methods.registry import Entry


def _autoencoder(config, input_shape, replicas):
  from memae_jax.methods import autoencoder  # Only now JAX is needed.

  return autoencoder.build(config, input_shape, replicas)


def _fitted(config, input_shape, replicas):
  from memae_jax.methods import fitted

  return fitted.build(config, input_shape, replicas)


def _bank(config, input_shape, replicas):
  from memae_jax.methods import bank

  return bank.build(config, input_shape, replicas)


def _encoder_bank(config, input_shape, replicas):
  from memae_jax.methods import encoder_bank

  return encoder_bank.build(config, input_shape, replicas)


def _feature_memae(config, input_shape, replicas):
  from memae_jax.methods import feature_memae

  return feature_memae.build(config, input_shape, replicas)


def _frame_pred(config, input_shape, replicas):
  from memae_jax.methods.videos import frame_pred

  return frame_pred.build(config, input_shape, replicas)


def _gaussian(config, input_shape, replicas):
  from memae_jax.methods import gaussian

  return gaussian.build(config, input_shape, replicas)


def _mnad(config, input_shape, replicas):
  from memae_jax.methods import mnad

  return mnad.build(config, input_shape, replicas)


def _hasan(config, input_shape, replicas):
  from memae_jax.methods.videos import hasan

  return hasan.build(config, input_shape, replicas)


def _zhao(config, input_shape, replicas):
  from memae_jax.methods.videos import zhao

  return zhao.build(config, input_shape, replicas)


_FAMILY = {'family': 'autoencoder', 'build': _autoencoder, 'predicts': True}
_OF_FEATURES = {'family': 'feature_memae', 'build': _feature_memae}
_FEATURES = 'methods.bank.', 'methods.feature_memae.'

ALL = (
  Entry(
    name='memae',
    label='MemAE',
    style=('#0072b2', '-', 'o'),
    reads=('model.memory.', 'train.alpha'),
    memories=True,
    rivals=('ae', 'nonspar', 'ae_l1', 'dae', 'vae'),
    released=True,
    **_FAMILY,
  ),
  Entry(
    name='nonspar',
    label='MemAE-nonSpar',
    style=('#cc79a7', '-', 's'),
    reads=('model.memory.', 'train.alpha'),
    fixed={'model.memory.threshold': 0.0, 'train.alpha': 0.0},
    memories=True,
    rivals=('ae',),
    released=True,
    **_FAMILY,
  ),
  Entry(
    name='ae',
    label='AE',
    style=('#009e73', '-', '^'),
    released=True,
    **_FAMILY,
  ),
  Entry(
    name='ae_l1',
    label='AE-L1',
    style=('#56b4e9', '-', 'v'),
    reads=('train.code_l1',),
    released=True,
    **_FAMILY,
  ),
  Entry(
    name='dae',
    label='Denoising AE',
    style=('#e69f00', '-', 'P'),
    reads=('train.noise',),
    released=True,
    **_FAMILY,
  ),
  Entry(
    name='vae',
    label='VAE',
    style=('#332288', '-', 'D'),
    reads=('train.kl_weight',),
    **_FAMILY,
  ),
  Entry(
    name='bank',
    label='Bank',
    family='bank',
    build=_bank,
    style=('#44aa99', '-', '*'),
    reads=('model.memory.slots', 'methods.bank.'),
    memories=True,
    rivals=('gaussian', 'memae'),
  ),
  Entry(
    name='encoder_bank',
    label='Bank of encodings',
    family='encoder_bank',
    build=_encoder_bank,
    style=('#117733', '-', 'X'),
    reads=(
      'model.memory.slots',
      'model.memory.per_position',
      'methods.bank.',
    ),
    memories=True,
    rivals=('bank', 'memae', 'ae'),
  ),
  Entry(
    name='feature_memae',
    label='MemAE of features',
    style=('#882255', '-', 'h'),
    reads=('model.memory.', 'train.alpha', *_FEATURES),
    memories=True,
    rivals=('feature_ae', 'feature_nonspar', 'bank', 'memae'),
    **_OF_FEATURES,
  ),
  Entry(
    name='feature_nonspar',
    label='MemAE-nonSpar of features',
    style=('#aa4499', '-', 'H'),
    reads=('model.memory.', 'train.alpha', *_FEATURES),
    fixed={'model.memory.threshold': 0.0, 'train.alpha': 0.0},
    memories=True,
    rivals=('feature_ae',),
    **_OF_FEATURES,
  ),
  Entry(
    name='feature_ae',
    label='AE of features',
    style=('#999933', '-', '<'),
    reads=_FEATURES,
    rivals=('bank', 'ae'),
    **_OF_FEATURES,
  ),
  Entry(
    name='gaussian',
    label='Gaussian of features',
    family='gaussian',
    build=_gaussian,
    style=('#8c6d31', '-', 'p'),
    reads=('methods.bank.',),
  ),
  Entry(
    name='mnad',
    label='MNAD',
    family='mnad',
    build=_mnad,
    style=('#b3446c', '-', 'h'),
    reads=('model.memory.slots', 'methods.mnad.'),
    memories=True,
    rivals=('memae', 'ae', 'frame_pred'),
    couples_batch=True,
    predicts=True,
  ),
  Entry(
    name='frame_pred',
    label='Frame-Pred',
    family='frame_pred',
    build=_frame_pred,
    style=('#d4a017', '-', '8'),
    reads=('methods.frame_pred.',),
    rivals=('memae', 'ae'),
    predicts=True,
    reconstructs=False,
  ),
  Entry(
    name='hasan',
    label='AE-Conv2D',
    family='hasan',
    build=_hasan,
    style=('#6699cc', '-', '>'),
    reads=('methods.hasan.',),
    rivals=('memae', 'ae'),
  ),
  Entry(
    name='zhao',
    label='AE-Conv3D',
    family='zhao',
    build=_zhao,
    style=('#b8860b', '-', 'd'),
    reads=('methods.zhao.',),
    rivals=('memae', 'ae', 'hasan'),
  ),
  *(
    Entry(name, label, name, _fitted, style=style, classical=True)
    for name, label, style in (
      ('mean', 'Distance to the mean', ('#999999', '--', 'x')),
      ('pca', 'PCA', ('#444444', '--', 'x')),
      ('kde', 'Kernel density', ('#444444', ':', 'x')),
      ('isolation_forest', 'Isolation forest', ('#8c6d31', '--', 'x')),
      ('ocsvm', 'One-class SVM', ('#8c6d31', ':', 'x')),
    )
  ),
)
