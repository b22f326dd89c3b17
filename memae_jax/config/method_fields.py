"""The fields of `methods`: settings of single families of this package."""

from typing import Any

from memae_jax.config import fields, image_method_fields, table_method_fields

_KINDS = (
  'raw',
  'cells',
  'blur_unit',
  'contrast_unit',
  'patches',
  'lite0',
  'lite0_maps',
)

FEATURE_MEMAE: dict[str, Any] = {
  'widths': fields.many(
    fields.integer(1, '', low=1),
    (128,),
    'Hidden widths of the network that rebuilds features; the same at each'
    ' position.',
  ),
  'code': fields.integer(32, 'Width C of the encoding of features.', low=1),
}

BANK: dict[str, Any] = {
  'features': fields.choice(
    'blur_unit',
    _KINDS,
    'What is compared. raw: all pixels of a sample. cells: the values of each'
    ' pixel, such as the motion of a cell of a frame. blur_unit: blurred by 1'
    ' pixel, norm 1. contrast_unit: less the mean, norm 1. patches: windows of'
    ' pixels, less their means. lite0: outputs of a network that was trained on'
    ' ImageNet, mean over positions, norm 1. lite0_maps: its outputs at each'
    ' position.',
  ),
  'also': fields.many(
    fields.choice('raw', _KINDS, ''),
    (),
    'Bank: further kinds, each with slots of its own. The score is the sum of'
    ' the distances, each less its mean on training features, over its'
    ' deviation.',
  ),
  'shares': fields.many(
    fields.number(1.0, '', above=0),
    (),
    'Weights of features and also in the sum, such as (1.0, 0.5); none: 1'
    ' each.',
  ),
  'outputs': fields.many(
    fields.choice('head', ('b2', 'b4', 'b10', 'b15', 'head'), ''),
    (),
    'lite0: outputs of the network, joined; none: head for whole pictures, and'
    ' b2, b4, b10 for maps.',
  ),
  'side': fields.integer(
    0,
    'lite0: pixels that pictures are brought to; 0: 128, and maps as they are.',
    low=0,
  ),
  'weights': fields.text(
    '', 'lite0: a file of its weights; empty: those of the installed package.'
  ).role(fields.PATH, fields.MOVED),
  'positions': fields.integer(
    0,
    'cells, patches, maps: so many random positions of each picture may become'
    ' slots; 0: all.',
    low=0,
  ),
  'least': fields.number(
    0.0,
    'Features of a smaller norm become no slots, and have no distance: cells'
    ' that stand still.',
    low=0.0,
  ),
  'slots': fields.integer(
    0,
    'Slots of the bank, where they are not as many as those of other memories;'
    ' 0: model.memory.slots.',
    low=0,
  ),
  'select': fields.choice(
    'k_means',
    ('k_means', 'k_means_rows', 'random', 'k_centre'),
    'How slots are chosen among the features of training normals; with no more'
    ' of these than model.memory.slots, all of them are slots. k_means_rows:'
    ' the feature nearest to each centre.',
  ),
  'dropped': fields.number(
    0.0,
    'Share of the features that is left out first, those that lie where few'
    ' others do: for training samples with anomalies among them.',
    low=0.0,
    high=0.5,
  ),
  'weighted': fields.boolean(
    False,
    'Multiply the distance to each slot by its local outlier factor, of centres'
    ' the mean of their members: for training samples with anomalies.',
  ),
  'density': fields.number(
    200.0,
    'Neighbours by which dropped and weighted tell what is an outlier, more'
    ' than there may be anomalies of one kind; below 1: share of the features.',
    above=0,
  ),
  'most': fields.integer(
    20000, 'At most this many training normals give features.', low=1
  ),
  'neighbours': fields.integer(
    1, 'The score is the mean distance to this many nearest slots.', low=1
  ),
  'reweight': fields.integer(
    0,
    'Bank: re-weight the score by so many slots around the nearest one, as'
    ' PatchCore does by 9; 0: do not.',
    low=0,
  ),
  'patch': fields.integer(8, 'patches: pixels of a side.', low=1),
  'stride': fields.integer(4, 'patches: pixels from one to the next.', low=1),
  'blur': fields.number(
    4.0,
    'cells, patches: the error map is blurred by a Gaussian of this many'
    ' pixels.',
    low=0.0,
  ).role(fields.NO_WEIGHT),
}

FM_AE: dict[str, Any] = {
  'weight': fields.number(
    0.1,
    'Weight of the squared distance of features, which have norm 1 at each'
    ' position, beside the squared error.',
    low=0.0,
  ),
  'outputs': fields.many(
    fields.choice('b2', ('b2', 'b4', 'b10', 'b15'), ''),
    ('b2', 'b4'),
    'Outputs of the frozen network, whose weights are those of a bank (lite0).',
  ),
}

_COUNT = fields.integer(1, '', low=1)
_WIDTHS = fields.many(
  _COUNT,
  (16, 32, 64, 128),
  'Channels of the levels of the U-Net, of which each has half the rows and'
  ' columns of the one above. Published: 64, 128, 256, 512; the default is for'
  ' CPUs.',
)

FRAME_PRED: dict[str, Any] = {
  'widths': _WIDTHS,
  'intensity': fields.number(
    1.0, 'Weight of train.loss, which is the squared error.', low=0.0
  ),
  'edges': fields.number(
    1.0,
    'Weight of the gradient loss: by how much differences of neighbouring'
    ' pixels differ in size.',
    low=0.0,
  ),
  'adversarial': fields.number(
    0.0,
    'Weight of the loss by which predictions look real to a discriminator of'
    ' patches, which is trained beside it. Published: 0.05; 0: there is none.',
    low=0.0,
  ),
  'discriminator': fields.many(
    _COUNT,
    (32, 64, 128, 128),
    'Channels of the discriminator. Published: 128, 256, 512, 512.',
  ),
}

MNAD: dict[str, Any] = {
  'network': fields.choice(
    'auto',
    ('auto', 'model', 'unet', 'no_skips'),
    'model: encoder and decoder of model, as MemAE has them. unet: a U-Net with'
    ' skips, as published for prediction. no_skips: the same without, as'
    ' published for reconstruction. auto: unet where it predicts, else model.',
  ),
  'widths': _WIDTHS,
  'compactness': fields.number(
    0.1, 'Weight of the distance of queries to their nearest slots.', low=0.0
  ),
  'separateness': fields.number(
    0.1,
    'Weight of the loss that keeps the second nearest slot farther away than'
    ' the nearest one, by a margin of 1.',
    low=0.0,
  ),
}

HASAN: dict[str, Any] = {
  'widths': fields.many(
    _COUNT, (256, 128, 64), 'Channels of each layer of the encoder.'
  ),
  'kernels': fields.many(
    _COUNT,
    (11, 5, 3),
    'Kernel size of each layer; for pictures of 32 pixels such as (5, 3, 3).',
  ),
  'stride': fields.integer(
    4, 'Stride of the first layer; for pictures of 32 pixels such as 1.', low=1
  ),
  'groups': fields.integer(
    2, 'Groups that the channels of the second layer are divided into.', low=1
  ),
  'masks': fields.boolean(
    False,
    'Let the decoder put values where the maxima of the encoder were, as the'
    ' released network does. These places are a way around the bottleneck.',
  ),
}

ZHAO: dict[str, Any] = {
  'widths': fields.many(
    _COUNT, (32, 48, 64, 64), 'Channels of each layer of the encoder.'
  ),
  'decoder_widths': fields.many(
    _COUNT,
    (48, 32, 32),
    'Channels of each layer of both decoders before their outputs.',
  ),
  'prediction': fields.number(
    1.0, 'Weight of the prediction of the second half of a clip.', low=0.0
  ),
}

DICTIONARY: dict[str, Any] = {
  'features': fields.choice(
    'patches',
    ('patches', 'lite0_maps'),
    'patches: the pixels of a window, less their means. lite0_maps: outputs of'
    ' a network that was trained on ImageNet, mean over the window; the paper'
    ' fed each window alone to a ResNet-18.',
  ),
  'outputs': BANK['outputs'],
  'side': BANK['side'],
  'weights': BANK['weights'],
  'patch': fields.integer(16, 'Pixels of a side of a window.', low=1),
  'stride': fields.integer(4, 'Pixels from one window to the next.', low=1),
  'samples': fields.integer(
    128,
    'At most this many training normals, drawn by the seed, give features; 0:'
    ' all.',
    low=0,
  ),
  'positions': fields.integer(
    128, 'So many random windows of each picture give features; 0: all.', low=0
  ),
  'slots': fields.integer(10, 'Entries of the dictionary.', low=1),
  'neighbours': fields.integer(
    1, 'The score is the mean distance to this many nearest entries.', low=1
  ),
}

NKN: dict[str, Any] = {
  'block': fields.integer(
    0,
    'Pixels of a side of the blocks that are foretold from the rest; no smaller'
    ' than a defect. 0: an eighth of the shorter side.',
    low=0,
  ),
  'stride': fields.integer(
    0, 'Pixels from one block to the next. 0: the block.', low=0
  ),
  'passes': fields.integer(
    3,
    'Passes over the picture; each after the first is without the worst blocks'
    ' of the one before, at most a tenth of the picture. 1: as published.',
    low=1,
  ),
  'steps': fields.integer(
    600, 'Steps of Adam of the first pass; others take a third.', low=4
  ),
  'starts': fields.integer(
    4,
    'Tries, with pairs of periods of both axes; the likeliest goes on. 0: one,'
    ' from a tenth of the picture, as published.',
    low=0,
  ),
  'periodic': fields.integer(
    1, 'Periodic kernels among the primitives of an axis.', low=1, high=8
  ),
  'loud': fields.number(
    4.0, 'Deviations from which on a block may be left out.', above=0
  ),
  'retrain': fields.choice(
    'picture',
    ('picture', 'block'),
    'picture: one training for all blocks. block: it goes on without each block'
    ' before this is foretold; for small pictures.',
  ),
}

ALL = {
  **image_method_fields.ALL,
  **table_method_fields.ALL,
  'bank': BANK,
  'dictionary': DICTIONARY,
  'feature_memae': FEATURE_MEMAE,
  'fm_ae': FM_AE,
  'frame_pred': FRAME_PRED,
  'hasan': HASAN,
  'mnad': MNAD,
  'nkn': NKN,
  'zhao': ZHAO,
}
