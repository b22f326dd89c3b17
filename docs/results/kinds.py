"""Rows of the table of docs/which.md: what was best on which kind of data.

Numbers are not here: `tables.py` takes them from data/. It also finds the best
method, network and simple rival of each row, and refuses a row whose `best` is
no longer the best one, since the words beside it were written for that.
"""

from typing import NamedTuple

# Rivals that train no network: a line of code, or one call of scikit-learn.
SIMPLE = frozenset(
  {
    'Brightness alone',
    'Contrast alone',
    'Difference to the frame before',
    'Distance to the mean',
    'Frame difference',
    'Isolation forest',
    'Kernel density',
    'Local deviation, 3 x 3',
    'Local deviation, 7 x 7',
    'Local outlier factor (20)',
    'Mean of contrast-normalised',
    'Mean of the rest',
    'Medians of row and column',
    'Nearest normals (5)',
    'Nearest own patch',
    'One period away',
    'One-class SVM',
    'PCA',
    'Speed without a bank',
    'k-means centres (100)',
  }
)
# They fit something, but neither a network nor one of the above.
NO_NETWORKS = (
  'Bank',
  'CNN feature dictionary',
  'GMM of texture',
  'Gaussian of features',
  'Neural kernel network',
  'Variation model',
)
# They detect nothing, so they are never the best.
NOBODY = ('Random scores', 'Untrained network')


class Kind(NamedTuple):
  """A row of the table.

  Attributes:
    data: the kind of data, and what it was measured on.
    measure: name of the number.
    files: in data/, of the same test samples; of a method in several of them
      the highest number counts.
    column: of their tables `main`; of the table `methods` the row.
    best: method that is the best one.
    score: what its score compares.
    memory: that it has.
    first: config to try first.
  """

  data: str
  measure: str
  files: tuple[str, ...]
  column: str
  best: str
  score: str
  memory: str
  first: str


_FRAMES = 'AUROC, normalised per video'
_PATCHES = 'patches of pixels'
KINDS = (
  Kind(
    *('handwritten digits (MNIST)', 'AUROC'),
    ('mnist_bank_all', 'mnist_bank', 'mnist_blur', 'mnist_blur_200'),
    *('AUROC', 'Bank', 'blurred pictures of norm 1'),
    *('all samples, five neighbours', 'mnist.py:variant=bank,slots=5000'),
  ),
  Kind(
    *('digits of 8 x 8 pixels', 'AUROC', ('digits',), 'AUROC', 'AE'),
    *('pixels', 'none', 'digits.py'),
  ),
  Kind(
    *('small photographs (CIFAR-10)', 'AUROC'),
    ('cifar_bank', 'cifar10_contrast'),
    *('AUROC', 'Gaussian of features', '`lite0` (ImageNet labels)', 'none'),
    'cifar10.py:variant=bank+gaussian,features=lite0',
  ),
  Kind(
    *('the same without ImageNet labels', 'AUROC', ('cifar10_contrast',)),
    *('AUROC', 'Distance to the mean', 'pictures of mean 0 and norm 1'),
    *('none', 'cifar10.py:variant=memae+ae'),
  ),
  Kind(
    *('defects of one kind of part (screw)', 'pixel AUROC'),
    *(('screw_mvtec',), 'Pixel AUROC', 'Bank (frozen network)'),
    *('`lite0` (ImageNet labels)', 'positions that lie far apart'),
    'mvtec.py:path=screw,variant=bank,features=lite0',
  ),
  Kind(
    *('texture, generated threads', 'pixel AUROC', ('textures_woven',)),
    *('Pixel AUROC', 'Bank', _PATCHES, '100 of them'),
    'textures.py:texture=woven,variant=ae_ssim+bank',
  ),
  Kind(
    *('texture, a photograph of bricks', 'pixel AUROC', ('textures_brick',)),
    *('Pixel AUROC', 'AE (SSIM)', 'structure in windows', 'none'),
    'textures.py:texture=brick,variant=ae_ssim+bank',
  ),
  Kind(
    *('one picture alone, it repeats (weave)', 'AUROC', ('one_picture',)),
    *('weave', 'Neural kernel network', 'largest error in deviations'),
    *('the rest of the picture', 'one_image.py:path=fabric.png'),
  ),
  Kind(
    *('one picture alone, bricks', 'AUROC', ('one_picture',), 'brick'),
    *('Nearest own patch', _PATCHES, 'the rest of the picture'),
    'one_image.py:path=wall.png',
  ),
  Kind(
    *('table, logarithms and deviation 1 (KDDCUP99)', 'F1'),
    *(('kddcup99_all', 'kddcup99'), 'F1', 'DSEBM-e', 'energy', 'none'),
    'kddcup99.py:variant=memae+ae+bank+dsebm_e',
  ),
  Kind(
    *('the same table, min-max scaling', 'F1', ('kddcup99_plain_all',), 'F1'),
    *('Deep SVDD', 'distance to a centre', 'none'),
    'kddcup99.py:recipe=plain,variant=memae+ae+deep_svdd',
  ),
  Kind(
    *('card payments', 'average precision', (), '', '', '', ''),
    'creditcard.py:path=creditcard.csv',
  ),
  Kind(
    *('video by frames, rebuilt (Ped2)', _FRAMES, ('ped2_128',), _FRAMES),
    *('Difference to the frame before', 'neighbouring frames', 'none'),
    'frames.py:path=videos,labels=labels.csv',
  ),
  Kind(
    *('video by frames, the next foretold (Ped2)', _FRAMES),
    *(('ped2_64_predict',), 'AUROC, normalised', 'Frame-Pred'),
    *('peak signal-to-noise ratio', 'none'),
    'frames.py:path=videos,labels=labels.csv,task=predict,variant=frame_pred',
  ),
  Kind(
    *('video by motion (Ped2)', _FRAMES, ('motion',), 'AUROC, normalised'),
    *('Bank', 'speed of cells', '5,000 cells', 'ped2.py:recipe=motion'),
  ),
)
