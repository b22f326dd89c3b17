"""The methods of this package, one entry each."""

import importlib
from collections.abc import Callable
from typing import Any

from memae_jax.methods.registry import Entry


def _of(module: str) -> Callable[..., Any]:
  """Returns the `build` of a module, which is imported once it is called."""

  def build(config, input_shape, replicas):
    found = importlib.import_module(f'memae_jax.methods.{module}')
    return found.build(config, input_shape, replicas)  # Only now JAX is needed.

  return build


_FAMILY = {
  'family': 'autoencoder',
  'build': _of('autoencoder'),
  'predicts': True,
}
_OF_FEATURES = {'family': 'feature_memae', 'build': _of('feature_memae')}
_FEATURES = 'methods.bank.', 'methods.feature_memae.'

_ALONE = 'rest_mean', 'period_shift', 'axis_median', 'own_patches'

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
    reads=('train.code_l1', 'train.l1_of'),
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
    name='ae_ssim',
    label='AE (SSIM)',
    family='ae_ssim',
    build=_of('images.autoencoders'),
    style=('#66c2a5', '-', 'v'),
    rivals=('ae', 'memae'),
  ),
  Entry(
    name='fm_ae',
    label='AE (feature matching)',
    family='fm_ae',
    build=_of('images.autoencoders'),
    style=('#e78ac3', '-', '<'),
    reads=('methods.fm_ae.',),
    rivals=('ae', 'memae'),
  ),
  Entry(
    name='memae_positions',
    label='MemAE of positions',
    family='memae_positions',
    build=_of('images.autoencoders'),
    style=('#4169e1', '-', 's'),
    reads=('model.memory.', 'train.alpha'),
    fixed={'model.memory.per_position': True},
    memories=True,
    rivals=('memae', 'ae'),
  ),
  Entry(
    name='bank',
    label='Bank',
    family='bank',
    build=_of('bank'),
    style=('#44aa99', '-', '*'),
    reads=('model.memory.slots', 'methods.bank.'),
    memories=True,
    rivals=('gaussian', 'memae'),
  ),
  Entry(
    name='encoder_bank',
    label='Bank of encodings',
    family='encoder_bank',
    build=_of('encoder_bank'),
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
    build=_of('gaussian'),
    style=('#8c6d31', '-', 'p'),
    reads=('methods.bank.',),
  ),
  Entry(
    name='mnad',
    label='MNAD',
    family='mnad',
    build=_of('mnad'),
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
    build=_of('videos.frame_pred'),
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
    build=_of('videos.hasan'),
    style=('#6699cc', '-', '>'),
    reads=('methods.hasan.',),
    rivals=('memae', 'ae'),
  ),
  Entry(
    name='zhao',
    label='AE-Conv3D',
    family='zhao',
    build=_of('videos.zhao'),
    style=('#b8860b', '-', 'd'),
    reads=('methods.zhao.',),
    rivals=('memae', 'ae', 'hasan'),
  ),
  Entry(
    name='variation',
    label='Variation model',
    family='variation',
    build=_of('images.variation'),
    style=('#6a51a3', '-', 'd'),
    reads=('methods.variation.',),
    rivals=('memae', 'ae'),
  ),
  Entry(
    name='gmm_texture',
    label='GMM of texture',
    family='gmm_texture',
    build=_of('images.gmm_texture'),
    style=('#1b7837', '-', '>'),
    reads=('methods.gmm_texture.',),
    rivals=('dictionary', 'memae', 'ae'),
  ),
  Entry(
    name='dictionary',
    label='CNN feature dictionary (dense)',
    family='dictionary',
    build=_of('images.dictionary'),
    style=('#b35806', '-', '<'),
    reads=('methods.dictionary.',),
    memories=True,
    rivals=('bank', 'memae', 'ae'),
  ),
  Entry(
    name='anogan',
    label='AnoGAN',
    family='anogan',
    build=_of('images.anogan'),
    style=('#e0637c', '-', 'd'),
    reads=('methods.anogan.',),
    rivals=('memae', 'ae', 'bank'),
  ),
  Entry(
    name='pixelcnn',
    label='PixelCNN',
    family='pixelcnn',
    build=_of('images.pixelcnn'),
    style=('#1f9e9e', '-', '8'),
    reads=('methods.pixelcnn.',),
    rivals=('memae', 'ae', 'vae'),
  ),
  Entry(
    name='dagmm',
    label='DAGMM',
    family='dagmm',
    build=_of('tables.dagmm'),
    style=('#a6761d', '-', 'P'),
    reads=('methods.dagmm.',),
    rivals=('memae', 'ae'),
    couples_batch=True,
  ),
  *(
    Entry(
      name,
      label,
      name,
      _of('tables.dsebm'),
      style=style,
      reads=(f'methods.{name}.',),
      rivals=('memae', 'ae'),
      twin=twin,
    )
    for name, twin, label, style in (
      ('dsebm_e', 'dsebm_r', 'DSEBM-e', ('#7570b3', '-', 'v')),
      ('dsebm_r', 'dsebm_e', 'DSEBM-r', ('#7570b3', '--', '^')),
    )
  ),
  Entry(
    name='dcn',
    label='DCN',
    family='dcn',
    build=_of('tables.codes'),
    style=('#66a61e', '-', 's'),
    reads=('methods.dcn.',),
    rivals=('memae', 'ae'),
    couples_batch=True,
  ),
  Entry(
    name='deep_svdd',
    label='Deep SVDD',
    family='deep_svdd',
    build=_of('tables.codes'),
    style=('#e7298a', '-', 'D'),
    reads=('methods.deep_svdd.',),
    rivals=('memae', 'ae'),
  ),
  *(
    Entry(
      name,
      label,
      name,
      _of('alone.method'),
      style=style,
      reads=('methods.nkn.',),
      exportable=False,
      alone=True,
      classical=name != 'nkn',
      rivals=_ALONE if name == 'nkn' else (),
    )
    for name, label, style in (
      ('nkn', 'Neural kernel network', ('#d62728', '-', 'o')),
      ('rest_mean', 'Mean of the rest', ('#999999', '--', 'x')),
      ('period_shift', 'One period away', ('#444444', '--', 'x')),
      ('axis_median', 'Medians of row and column', ('#444444', ':', 'x')),
      ('own_patches', 'Nearest own patch', ('#44aa99', '--', 'x')),
    )
  ),
  *(
    Entry(name, label, name, _of('fitted'), style=style, classical=True)
    for name, label, style in (
      ('mean', 'Distance to the mean', ('#999999', '--', 'x')),
      ('pca', 'PCA', ('#444444', '--', 'x')),
      ('kde', 'Kernel density', ('#444444', ':', 'x')),
      ('isolation_forest', 'Isolation forest', ('#8c6d31', '--', 'x')),
      ('ocsvm', 'One-class SVM', ('#8c6d31', ':', 'x')),
    )
  ),
)
