"""Fields of `data`: which samples there are, and which are normal."""

from typing import Any

from memae_jax.config import fields
from memae_jax.data import registry as datasets

PROTOCOLS = ('one_class', 'official', 'random_rows', 'given', 'alone', 'all')
ONE_CLASS = ('one_class', 'official')  # Protocols with a normal class.
_NATURAL = fields.integer(0, '', low=0)
_COUNT = fields.integer(1, '', low=1)
_NAME = fields.name()

# Those of block matching alone begin with `motion_` and stand in `OF_BLOCKS`.
MOTION: dict[str, Any] = {
  'input': fields.choice(
    'frames',
    ('frames', 'motion', 'speed', 'both'),
    'Videos: what networks see. frames: grey or colours. motion: how far each'
    ' cell moves, to the right and downwards. speed: how far, whatever the'
    ' direction. both: frames and motion, as channels of one sample. Cells are'
    ' the pixels of image_size and image_width.',
  ),
  'motion': fields.choice(
    'none',
    ('none', 'difference', 'blocks', 'flow'),
    'Videos: where motion comes from, always by grey frames of full size.'
    ' blocks: block matching. flow: dense inverse search of OpenCV (pip install'
    " 'memae_jax[flow]'). Both in pixels of the full frame per frame."
    ' difference: absolute change of grey since the frame before, from 0 to 1.',
  ),
  'perspective': fields.number(
    0.0,
    'Videos: motion is divided by this plus r, where r is the row of a cell'
    ' from 0 at the top to 1 at the bottom, as what is near moves faster; 0: it'
    ' is not divided.',
    low=0.0,
  ),
  'motion_frames': fields.odd(
    5,
    'Videos: motion is averaged over so many frames, half of them later; 1: it'
    ' is not.',
  ),
  'motion_box': fields.odd(
    5,
    'Videos: motion is averaged over a box of so many cells a side; 1: it is'
    ' not.',
  ),
  'motion_cell': fields.integer(
    2, 'Videos: pixels of a side of the cells that motion is of.', low=1
  ),
  'motion_gap': fields.integer(
    2,
    'blocks: the frames so far before and after a frame are matched.',
    low=1,
  ),
  'motion_reach': fields.many(
    _COUNT,
    (6, 3),
    'blocks: the largest shift to the side and up or down, in cells, between'
    ' the two frames.',
  ),
  'motion_window': fields.odd(
    9, 'blocks: side of the window that is compared, in cells.'
  ),
  'motion_penalty': fields.number(
    0.002,
    'blocks: cost of a shift by one cell, in grey levels from 0 to 1, so that'
    ' what shows no texture stands still.',
    above=0,
  ),
}
PATCHES: dict[str, Any] = {
  'patch': fields.integer(
    0,
    'Pictures: methods see patches of this many pixels a side, random crops in'
    ' training and tiles afterwards; 0: whole pictures.',
    low=0,
  ),
  'patch_for': fields.choice(
    'networks',
    ('networks', 'all'),
    'patch: which methods see patches: those that take gradient steps, or all,'
    ' as pictures of thousands of pixels need.',
  ),
  'patch_stride': fields.integer(
    0,
    'patch: pixels between the tiles that a picture is scored by, at most'
    ' patch; their maps are averaged where they overlap; 0: patch, the fewest'
    ' tiles.',
    low=0,
  ).role(fields.NO_WEIGHT),
  'patch_crops': fields.integer(
    1, 'patch: crops of each picture of a batch.', low=1
  ),
  'patch_turn': fields.number(
    0.0,
    'patch: crops are turned by up to so many degrees; 180: by any angle.',
    low=0.0,
    high=180.0,
  ),
  'patch_mirror': fields.boolean(
    False, 'patch: half of the crops are mirrored, left to right.'
  ),
}
OF_BLOCKS = ('motion_gap', 'motion_reach', 'motion_window', 'motion_penalty')

DATA: dict[str, Any] = {
  'name': fields.choice('digits', datasets.names, 'Name of the data set.'),
  'data_dir': fields.text(
    '',
    'Where prepared data sets live. Empty: $MEMAE_DATA_DIR, else ~/memae_data.',
  ).role(fields.PATH, fields.NO_WEIGHT),
  'max_samples': fields.integer(
    0, 'Keep a random subset of this many samples. 0: all.', low=0
  ).role(fields.SCALES),
  'fill': fields.text(
    '',
    'alone: a picture that is white where pixels are unknown: they are filled'
    ' in, with a deviation. Empty: none.',
  ).role(fields.PATH),
  'protocol': fields.choice(
    'one_class',
    PROTOCOLS,
    'one_class: the normals are split, and anomalies are drawn for the test'
    ' set (the paper). official: the normals of the official training set are'
    ' for training, the official test set for testing. random_rows: all rows'
    ' are split, and only the normals of the training part are for training.'
    ' given: the source brings its own test set. alone: no picture trains;'
    ' each is foretold from the rest of itself, by methods made for this. all:'
    ' all samples train and validate and none is tested, as by estimators in'
    ' Python.',
  ),
  'train_fraction': fields.number(
    2 / 3,
    'one_class, random_rows: share that is for training.',
    above=0,
    high=0.99,
  ),
  'validation_fraction': fields.number(
    0.1,
    'Share of the training normals that are held out for validation.',
    above=0,
    high=0.9,
  ),
  'anomaly_fraction': fields.number(
    0.3,
    'one_class: share of anomalies in the test set. 0: take all.',
    low=0.0,
    high=0.99,
  ),
  'pollution': fields.number(
    0.0,
    'Share of the training and validation samples that are anomalies: some that'
    ' are not tested are added as normals, to study dirty data.',
    low=0.0,
    high=0.5,
  ),
  'pollution_kind': fields.choice(
    'mixed',
    ('one_class', 'mixed'),
    'pollution: anomalies of all other classes, or of one, which the seed'
    ' draws.',
  ),
  'unique': fields.boolean(
    False,
    'Keep one of the samples of a label that equal each other, before anything'
    ' is split: no normal test sample equals one that trains or validates.',
  ),
  'unique_train': fields.boolean(
    False, 'Train on each distinct row once. The test set is untouched.'
  ),
  'disjoint': fields.boolean(
    False,
    'Leave out training and validation samples that equal a test sample, input'
    ' for input; results and terminal say how many.',
  ),
  'scaling': fields.choice(
    'fixed',
    ('fixed', 'minmax', 'standard', 'contrast', 'blur_unit', 'none'),
    'fixed: the range of the data type to [-1, 1] (images). minmax:'
    ' to [0, 1], standard: to mean 0 and deviation 1, both fitted on'
    ' the training normals. contrast: each image to mean 0 and mean absolute'
    ' value 1 (global contrast normalisation, as Deep SVDD has it), then the'
    ' range of the training normals to [-1, 1]. blur_unit: each image blurred'
    ' by 1 pixel and divided by its norm, to a root mean square of 1/2.',
  ).role(fields.SCALES),
  'unscaled_columns': fields.many(
    _NAME, (), 'Columns of a table that data.scaling leaves as they are.'
  ).role(fields.SCALES),
  'log1p': fields.boolean(
    False, 'Take log(1 + x) of non-negative numeric columns, before scaling.'
  ).role(fields.SCALES),
  'clip': fields.number(
    0.0, 'Scaled inputs are clipped to [-clip, clip]; 0: they are not.', low=0.0
  ).role(fields.SCALES),
  'path': fields.text(
    '',
    'arrays, creditcard: npz, csv or parquet file. image_folder: a folder with'
    ' train/good, test/good, test/KIND and, if any, ground_truth/KIND.'
    ' frames: a folder with train/VIDEO and, if any, test/VIDEO and'
    ' ground_truth/VIDEO.',
  ).role(fields.PATH, fields.MOVED),
  'image_size': fields.integer(
    0,
    'Pictures and frames are resized to squares of this many pixels; 0: all'
    ' must have one size.',
    low=0,
  ),
  'image_width': fields.integer(
    0, 'Videos: width of frames whose height is image_size; 0: squares.', low=0
  ),
  'colour': fields.choice(
    'auto',
    ('auto', 'grey', 'rgb'),
    'Channels of a picture or frame; auto: grey if no pixel has a colour,'
    ' and for the published videos.',
  ),
  'texture': fields.choice(
    'woven',
    (
      *('woven', 'diagonal', 'field', 'noise'),
      *('waves', 'grating', 'weave', 'masonry', 'wall'),
      *('brick', 'grass', 'gravel'),
    ),
    'textures: which one; the last three are photographs of scikit-image.',
  ),
  'levels': fields.many(
    _NATURAL,
    (),
    'image_folder: the values of 16-bit pictures that become 0 and 255, such'
    ' as (0, 4095); empty: by the training pictures.',
  ),
  'label_path': fields.text(
    '',
    'Videos: file or folder with the labels of the test frames (.npy, .csv,'
    ' .mat, .m, masks); empty: as published, or from masks.',
  ).role(fields.PATH),
  'clip_frames': fields.integer(
    16,
    'Videos: frames per clip, T; 1: samples are single frames, and networks'
    ' those of images.',
    low=1,
  ),
  'clip_stride': fields.integer(
    1,
    'Videos: frames between the starts of training clips. Each test frame is'
    ' scored once, whatever this is.',
    low=1,
  ),
  'frame_step': fields.integer(
    1,
    'Videos: 1: a clip is of consecutive frames; n: of every n-th frame.',
    low=1,
  ),
  **MOTION,
  **PATCHES,
  'feed': fields.choice(
    'auto',
    ('auto', 'resident', 'streaming'),
    'resident: all samples on the device. streaming: batches are gathered'
    ' on the host, ahead of the step. auto: resident where it fits.',
  ).role(fields.NO_WEIGHT),
  'resident_bytes': fields.integer(
    2**30, 'Bytes of raw samples that each device may hold.', low=1
  ).role(fields.NO_WEIGHT),
  'test_path': fields.text(
    '', 'arrays: a second file with the test rows.'
  ).role(fields.PATH, fields.MOVED),
  'label_column': fields.text('', 'arrays: name of the label column or array.'),
  'normal_labels': fields.many(
    _NAME, (), 'Labels that are normal; all others are anomalous.'
  ),
  'categorical_columns': fields.many(
    _NAME, (), 'arrays: columns that are one-hot encoded.'
  ),
  'date_columns': fields.many(
    _NAME,
    (),
    'arrays: columns of dates, with or without a time of day, see date_parts.',
  ),
  'date_parts': fields.many(
    fields.choice('days', ('days', 'hour', 'weekday', 'season'), ''),
    ('days', 'hour', 'weekday'),
    'date_columns: what a date becomes. days: days since 1970, scaled as a'
    ' number. hour, weekday, season: of the day, the week and the year, as sine'
    ' and cosine. hour is left out of columns without a time of day.',
  ),
  'date_order': fields.mark(
    {'d': 'day', 'm': 'month'},
    'date_columns: whether 3/4/2024 begins with the day or the month; empty:'
    ' dates such as 13/4/2024 say it.',
  ),
  'drop_columns': fields.many(_NAME, (), 'arrays: columns to leave out.'),
  'time_input': fields.choice(
    'none',
    ('none', 'time_of_day', 'seconds'),
    'creditcard: what is seen of the time of a payment: nothing, sine and'
    ' cosine of the time of day, or the seconds since the first one.',
  ),
  'key_column': fields.text(
    '', 'arrays: a column that names the rows; it stands beside the scores.'
  ).role(fields.NO_WEIGHT),
  'separator': fields.mark(
    {',': 'comma', ';': 'semicolon', '\t': 'tab', '|': 'bar', ' ': 'blank'},
    'arrays: what stands between the cells of a text file; empty: guessed.',
  ),
  'encoding': fields.text(
    '', 'arrays: encoding of a text file, such as cp1252; empty: guessed.'
  ),
  'decimal': fields.mark(
    {'.': 'point', ',': 'comma'},
    'arrays: the mark before decimals; empty: guessed for each column.',
  ),
  'thousands': fields.mark(
    {
      ',': 'comma',
      '.': 'point',
      ' ': 'blank',
      "'": 'apostrophe',
      '_': 'underscore',
    },
    'arrays: the mark between groups of three digits; empty: any that is not'
    ' the decimal mark.',
  ),
  'missing_marks': fields.many(
    _NAME,
    (),
    'arrays: text that stands for a missing value, such as -999, in addition'
    ' to empty cells, NA, ?, - and the like.',
  ),
  'missing': fields.choice(
    'error',
    ('error', 'median'),
    'arrays: a missing number is an error, or becomes the median of the'
    ' training normals.',
  ),
  'unknown_category': fields.choice(
    'error',
    ('error', 'zero'),
    'A category that the training normals lack: refuse the data, or'
    ' encode it as all zeros and count it in the results.',
  ),
}
