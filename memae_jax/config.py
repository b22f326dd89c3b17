"""The schema of an experiment: every field, its default, type and range.

A file in `configs/` starts from `default()` and sets what differs. `resolve`
checks the result before anything is compiled: unknown fields, wrong types and
values out of range are errors that name the field.
"""

import ast
import contextlib
import json
import pathlib
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

import ml_collections

from memae_jax import fields, plugins
from memae_jax.data import registry as datasets
from memae_jax.methods import registry
from memae_jax.runtime import errors, paths

PAPERS = ('mnist', 'cifar10', 'kddcup99', 'ped2', 'avenue', 'shanghaitech')
PROTOCOLS = ('one_class', 'official', 'random_rows', 'given')
ONE_CLASS = ('one_class', 'official')  # Those with a normal class.
BASELINES = (
  'random',
  'untrained',
  'frame_difference',
  'mean',
  'pca',
  'kde',
  'isolation_forest',
  'ocsvm',
)


READS = ('auto', 'dense', 'streaming', 'top_k')

# What Python raises on text that is no value, or nested ever deeper.
_UNREADABLE = (ValueError, RecursionError, MemoryError)


def _scores() -> tuple[str, ...]:
  from memae_jax import losses  # Which needs JAX.

  return losses.names()


def _losses() -> tuple[str, ...]:
  from memae_jax import losses

  return losses.names('trains')


_POSITIVE = fields.number(1.0, '', above=0)
_NATURAL = fields.integer(0, '', low=0)
_COUNT = fields.integer(1, '', low=1)
_NAME = fields.name()

SCHEMA: dict[str, Any] = {
  'name': fields.text('', 'Name of the experiment, used in reports.'),
  'plugins': fields.many(
    _NAME, (), 'Modules that were loaded by --plugin; not to be set.'
  ),
  'paper': fields.choice(
    '', ('', *PAPERS), 'Table of the paper shown beside the results.'
  ),
  'data': {
    'name': fields.choice('digits', datasets.names, 'Which data set.'),
    'data_dir': fields.text(
      '',
      'Where prepared data sets live. Empty: $MEMAE_DATA_DIR, else'
      ' ~/memae_data.',
    ),
    'max_samples': fields.integer(
      0, 'Keep a random subset of this many samples. 0: all.', low=0
    ),
    'protocol': fields.choice(
      'one_class',
      PROTOCOLS,
      'one_class: the normals are split, anomalies are drawn for the'
      ' test set (the paper). official: the normals of the official training'
      ' set train, the whole official test set tests. random_rows: all rows'
      ' are split, the normals of the training half train. given: the source'
      ' brings its own test set.',
    ),
    'train_fraction': fields.number(
      2 / 3, 'Share of the split that trains.', above=0, high=0.99
    ),
    'validation_fraction': fields.number(
      0.1, 'Share of the training normals held out.', above=0, high=0.9
    ),
    'anomaly_fraction': fields.number(
      0.3,
      'one_class: share of anomalies in the test set. 0: take all.',
      low=0.0,
      high=0.99,
    ),
    'unique_train': fields.boolean(
      False, 'Train on each distinct row once. The test set is untouched.'
    ),
    'scaling': fields.choice(
      'fixed',
      ('fixed', 'minmax', 'standard', 'contrast', 'none'),
      'fixed: the range of the data type to [-1, 1] (images). minmax:'
      ' to [0, 1], standard: to mean 0 and deviation 1, both fitted on'
      ' the training normals. contrast: each image to mean 0 and mean absolute'
      ' value 1 (global contrast normalisation, as Deep SVDD has it), then the'
      ' range of the training normals to [-1, 1].',
    ),
    'log1p': fields.boolean(
      False, 'log(1 + x) of non-negative numeric columns, before scaling.'
    ),
    'clip': fields.number(
      0.0, 'Scaled inputs are clipped to +-clip; 0: not.', low=0.0
    ),
    'path': fields.text(
      '',
      'arrays: npz, csv or parquet file. image_folder: a folder with'
      ' train/good, test/good, test/KIND and, if any, ground_truth/KIND.'
      ' frames: a folder with train/VIDEO and, if any, test/VIDEO and'
      ' ground_truth/VIDEO.',
    ),
    'image_size': fields.integer(
      0,
      'Pictures and frames are resized to squares of this many pixels; 0: all'
      ' must have one size.',
      low=0,
    ),
    'image_width': fields.integer(
      0, 'Videos: width of frames image_size high; 0: squares.', low=0
    ),
    'colour': fields.choice(
      'auto',
      ('auto', 'grey', 'rgb'),
      'Channels of a picture or frame; auto: grey if no pixel has a colour,'
      ' and for the published videos.',
    ),
    'levels': fields.many(
      _NATURAL,
      (),
      'image_folder: the values of 16-bit pictures that become 0 and 255, such'
      ' as (0, 4095); empty: by the pictures that train.',
    ),
    'label_path': fields.text(
      '',
      'Videos: file or folder with the labels of the test frames (.npy, .csv,'
      ' .mat, .m, masks); empty: as published, or from masks.',
    ),
    'clip_frames': fields.integer(16, 'Videos: frames T of a clip.', low=2),
    'clip_stride': fields.integer(
      1,
      'Videos: frames between the starts of training clips. Each test frame is'
      ' scored once, whatever this is.',
      low=1,
    ),
    'frame_step': fields.integer(
      1, 'Videos: a clip takes every so many frames.', low=1
    ),
    'feed': fields.choice(
      'auto',
      ('auto', 'resident', 'streaming'),
      'resident: all samples on the device. streaming: batches are gathered'
      ' on the host, ahead of the step. auto: resident where it fits.',
    ),
    'resident_bytes': fields.integer(
      2**30, 'Most bytes a device holds of the raw samples.', low=1
    ),
    'test_path': fields.text('', 'arrays: a second file with the test rows.'),
    'label_column': fields.text(
      '', 'arrays: name of the label column or array.'
    ),
    'normal_labels': fields.many(
      _NAME, (), 'Labels that are normal; all others are anomalous.'
    ),
    'categorical_columns': fields.many(
      _NAME, (), 'arrays: columns to one-hot.'
    ),
    'drop_columns': fields.many(_NAME, (), 'arrays: columns to leave out.'),
    'key_column': fields.text(
      '', 'arrays: a column that names the rows; no input, shown with scores.'
    ),
    'separator': fields.mark(
      {',': 'comma', ';': 'semicolon', '\t': 'tab', '|': 'bar', ' ': 'blank'},
      'arrays: what stands between the cells of a text file; empty: guessed.',
    ),
    'encoding': fields.text(
      '', 'arrays: of a text file, such as utf-8 or cp1252; empty: guessed.'
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
      'arrays: what stands for a missing value, such as -999, beside empty'
      ' cells, NA, ?, - and their like.',
    ),
    'missing': fields.choice(
      'error',
      ('error', 'median'),
      'arrays: what a missing number does; median of training normals.',
    ),
    'unknown_category': fields.choice(
      'error',
      ('error', 'zero'),
      'A category that the training normals lack: refuse the data, or'
      ' encode it as all zeros and count it in the results.',
    ),
  },
  'model': {
    'network': fields.choice(
      'dense', ('dense', 'conv'), 'Encoder and decoder.'
    ),
    'widths': fields.many(
      _COUNT,
      (60, 30, 10),
      'dense: hidden widths. conv: channels of each layer.',
    ),
    'code': fields.integer(3, 'dense: width C of the encoding.', low=1),
    'kernels': fields.many(
      _COUNT, (), 'conv: kernel size of each layer; empty: 3 each.'
    ),
    'strides': fields.many(
      _COUNT, (), 'conv: stride of each layer; empty: 2 each.'
    ),
    'time_strides': fields.many(
      _COUNT,
      (),
      'conv: stride in time of each layer, of clips; empty: strides.',
    ),
    'decoder_widths': fields.many(
      _COUNT, (), 'conv: channels before the output; empty: mirrored.'
    ),
    'decoder_kernels': fields.many(_COUNT, (), 'conv: empty: mirrored.'),
    'layout': fields.choice(
      'strided',
      ('strided', 'pool'),
      'conv: strided and transposed convolutions, or max-pooling and'
      ' up-sampling around plain ones.',
    ),
    'activation': fields.choice(
      'tanh', ('tanh', 'relu', 'leaky_relu'), 'Of hidden layers.'
    ),
    'batch_norm': fields.boolean(False, 'After each hidden layer.'),
    'compute': fields.choice(
      'float32',
      ('float32', 'bfloat16'),
      'Type that encoder and decoder compute in. All else is float32:'
      ' parameters, moments, memory, losses and scores.',
    ),
    'remat': fields.boolean(
      False,
      'conv: keep only the convolutions for the backward pass and compute'
      ' norms and activations again. Saves memory where XLA leaves it so, which'
      ' on a CPU it does not.',
    ),
    'memory': {
      'slots': fields.integer(50, 'Memory size N.', low=1),
      'per_position': fields.boolean(
        False,
        'conv: one query for each position of the encoding; else its whole'
        ' is one query.',
      ),
      'similarity': fields.choice(
        'cosine', ('cosine', 'dot'), 'cosine: paper. dot: its code.'
      ),
      'temperature': fields.number(
        1.0, 'Similarities are divided by it.', above=0
      ),
      'threshold': fields.number(
        1.0,
        'Shrinkage threshold lambda in multiples of 1/N (paper: 1 to'
        ' 3). 0: no shrinkage.',
        low=0.0,
      ),
      'on_empty': fields.choice(
        'zero',
        ('zero', 'top1'),
        'Read of a query that no slot survives for.',
      ),
      'shrink_gradient': fields.choice(
        'exact',
        ('exact', 'published'),
        'exact: of the softmax over the survivors. published: of the'
        ' relu formula.',
      ),
      'init': fields.choice(
        'uniform',
        ('uniform', 'encodings'),
        'uniform: +-1/sqrt(C) as released. encodings: of training'
        ' samples under the initial encoder.',
      ),
      'read': fields.choice(
        'auto',
        READS,
        'dense: all addressing weights at once. streaming: over chunks of'
        ' slots, never all weights. auto: dense where it fits read_bytes.'
        ' top_k: only to evaluate, where few slots survive.',
      ),
      'top_k': fields.integer(
        64, 'top_k: slots that it looks at, for each query.', low=1
      ),
      'read_bytes': fields.integer(
        2**28, 'What the addressing weights of a read may take.', low=2**16
      ),
    },
  },
  # Of each family of methods that has any, see `methods.registry.Entry`.
  'methods': registry.SETTINGS,
  'train': {
    'seed': fields.integer(0, 'Seed of the first replica.', low=0, high=2**31),
    'batch_size': fields.integer(64, 'Samples a step.', low=1),
    'accumulate': fields.integer(
      1,
      'A batch is taken in so many parts, one after another: less memory. The'
      ' same gradients but for norms, which see a part each.',
      low=1,
    ),
    'epochs': fields.number(
      100.0,
      'Passes over the largest training set of the fleet; all replicas take'
      ' as many steps.',
      above=0,
    ),
    'loss': fields.choice(
      'mse',
      _losses,
      'How a reconstruction differs from its input, in training.',
    ),
    'learning_rate': fields.number(1e-4, 'Of Adam.', above=0),
    'schedule': fields.choice(
      'constant', ('constant', 'cosine'), 'Of the learning rate.'
    ),
    'warmup_steps': fields.integer(0, 'Linear warm-up.', low=0),
    'clip_norm': fields.number(0.0, 'Global gradient norm; 0: off.', low=0.0),
    'weight_decay': fields.number(0.0, 'Decoupled (AdamW).', low=0.0),
    'alpha': fields.number(2e-4, 'Weight of the entropy loss.', low=0.0),
    'code_l1': fields.number(
      1e-3, 'ae_l1: weight of the mean absolute value of the code.', low=0.0
    ),
    'noise': fields.number(
      0.5, 'dae: deviation of the Gaussian noise on model inputs.', low=0.0
    ),
    'kl_weight': fields.number(
      0.1,
      'vae: weight of the divergence from the prior, over the elements of a'
      ' sample.',
      low=0.0,
    ),
    'log_every': fields.integer(
      0, 'Steps between log events; 0: about 100 in a run.', low=0
    ),
    'checkpoint_every': fields.integer(
      0,
      'Steps between checkpoints, a multiple of log_every (rounded); 0: about'
      ' 10 in a run.',
      low=0,
    ),
    'validate_every': fields.integer(
      0,
      'Steps between validations, a multiple of log_every (rounded); 0: about'
      ' 20 in a run.',
      low=0,
    ),
    'keep': fields.integer(2, 'Newest checkpoints kept.', low=1),
    'keep_all': fields.boolean(False, 'Keep every checkpoint, for curves.'),
    'fleet_map': fields.choice(
      'auto',
      ('auto', 'vmap', 'map'),
      'How replicas share a device; auto: map on CPU, else vmap.',
    ),
    'tensorboard': fields.boolean(False, 'Also write TensorBoard events.'),
  },
  'fleet': {
    'seeds': fields.integer(
      1, 'Replicas with seeds train.seed, +1, ...', low=1
    ),
    'normal_classes': fields.many(
      _NATURAL, (), 'One-class protocols: one replica for each class.'
    ),
    'variants': fields.many(
      fields.choice('memae', registry.names, ''),
      ('memae',),
      'memae, nonspar (no shrinkage, no entropy), ae (no memory), ae_l1'
      ' (penalty on the code), dae (denoising), vae (variational).',
    ),
    'slots': fields.many(
      _COUNT, (), 'Memory sizes; empty: model.memory.slots.'
    ),
    'thresholds': fields.many(
      fields.number(1.0, '', low=0.0), (), 'Empty: model.memory.threshold.'
    ),
    'alphas': fields.many(
      fields.number(1.0, '', low=0.0), (), 'Empty: train.alpha.'
    ),
    'learning_rates': fields.many(_POSITIVE, (), 'Empty: train.learning_rate.'),
  },
  'mesh': {
    'replica': fields.integer(
      0, 'Devices that replicas are spread over; 0: as many as serve.', low=0
    ),
    'data': fields.integer(
      0,
      'Devices that a batch is spread over; 0: those that are left (on the'
      ' CPU of one process, 1).',
      low=0,
    ),
    'memory': fields.integer(
      1, 'Devices that the slots are spread over.', low=1
    ),
  },
  'eval': {
    'checkpoint': fields.choice(
      'last',
      ('last', 'validation'),
      'Which weights are evaluated: the last, or for each replica those'
      ' with the lowest validation error.',
    ),
    'batch_size': fields.integer(
      1024, 'Samples of each replica scored at once.', low=1
    ),
    'score': fields.choice(
      'mse',
      _scores,
      'Anomaly score. mse: mean squared error. Of videos also mae_clip (the'
      ' released code since 2021), release2019 (before), mse_centre and'
      ' psnr_centre (of the scored frame alone), mse_averaged (of a frame in'
      ' all its clips). Results have a table of all.',
    ),
    'video': fields.text(
      '',
      'With --mode=eval: score this video file, or folder of frames, and'
      ' nothing else.',
    ),
    'frame_rate': fields.number(
      0.0,
      'Frames a second of videos that are folders of pictures, for the times of'
      ' scores and the speed of films; 0: not known, and films play 10 a'
      ' second. Video files say theirs.',
      low=0,
    ),
    'films': fields.many(
      _NAME,
      (),
      'Test videos to make a film of, with the errors laid over; empty: the'
      ' first one that has an anomaly.',
    ),
    'flag_ratio': fields.number(
      0.0,
      'Share of the test set that is flagged for F1 at the known ratio;'
      ' 0: the base rate.',
      low=0.0,
      high=1.0,
    ),
    'normal_quantile': fields.number(
      0.95,
      'The threshold on validation normals for F1 without test labels.',
      above=0,
      high=1.0,
    ),
    'baselines': fields.many(
      fields.choice('pca', BASELINES, ''),
      BASELINES,
      'On the same samples; frame_difference is for videos only.',
    ),
    'baseline_samples': fields.integer(
      20000, 'At most this many samples fit a baseline.', low=10
    ),
    'course': fields.boolean(
      False,
      'Evaluate every kept checkpoint (with train.keep_all), as --steps=all.',
    ),
    'pseudo': fields.boolean(
      True,
      'Images: also score changed validation normals, to choose settings'
      ' without test data.',
    ),
    'bootstrap': fields.integer(200, 'Resamples for an interval.', low=0),
  },
}


_READ_BY = {  # Fields of `model` that one network reads.
  'code': 'dense',
  'kernels': 'conv',
  'strides': 'conv',
  'time_strides': 'conv',
  'decoder_widths': 'conv',
  'decoder_kernels': 'conv',
  'layout': 'conv',
  'remat': 'conv',
}
_PATHS = (
  ('data', 'path'),
  ('data', 'test_path'),
  ('data', 'label_path'),
  ('data', 'data_dir'),
  ('eval', 'video'),
)


_NO_WEIGHT = (  # Fields that change no weight, or only its rounding.
  'name',
  'paper',
  'plugins',
  'data.data_dir',
  'data.feed',
  'data.key_column',
  'data.resident_bytes',
  'mesh.replica',
  'mesh.data',
  'mesh.memory',
  'model.memory.read',
  'model.memory.read_bytes',
  'model.memory.top_k',
  'train.checkpoint_every',
  'train.keep',
  'train.keep_all',
  'train.tensorboard',
)


def trains(field: str) -> bool:
  """Whether a field, such as 'train.alpha', decides what a run trains.

  Of `eval`, only the checkpoint rule does: what is stored depends on it.
  """
  if field.startswith('eval.'):
    return field == 'eval.checkpoint'
  return field not in _NO_WEIGHT


def is_path(field: str) -> bool:
  """Whether a field says where something lies; hosts may differ in it."""
  return tuple(field.split('.')) in _PATHS


def names_run(field: str) -> bool:
  """Whether the results of a run may depend on a field."""
  return trains(field) or field.startswith('eval.')


def _walk(
  schema: Mapping, leaf: Callable[[fields.Field], Any]
) -> dict[str, Any]:
  return {
    key: leaf(node) if isinstance(node, fields.Field) else _walk(node, leaf)
    for key, node in schema.items()
  }


def default() -> ml_collections.ConfigDict:
  """Returns a config with every field of the schema at its default."""
  return ml_collections.ConfigDict(_walk(SCHEMA, lambda field: field.default))


def parse_arg(
  arg: str | None, smoke: Mapping[str, Any] | bool = False, **defaults
) -> ml_collections.ConfigDict:
  """Parses `key=value,...` after the colon of `--config=file.py:...`.

  Values take the type of their default; a bare `key` means True. A tuple
  default takes `a+b+c`. Unknown keys are errors.

  Args:
    arg: those words.
    smoke: what the word `smoke` makes of the defaults; other words win.
    **defaults: of the keys.
  """
  defaults['smoke'] = False
  out = ml_collections.ConfigDict(defaults)
  for part in filter(None, (arg or '').split(',')):
    key, equals, text = part.partition('=')
    if key not in defaults:
      raise errors.UserError(
        f'config argument "{key}" is unknown'
        + errors.did_you_mean(key, defaults)
      )
    want = defaults[key]
    try:
      if not equals and isinstance(want, bool):
        out[key] = True
      elif isinstance(want, str):
        out[key] = text
      elif isinstance(want, tuple):
        kind = type(want[0]) if want else str
        out[key] = tuple(kind(item) for item in text.split('+'))
      elif isinstance(want, bool):
        out[key] = {'True': True, 'False': False, '1': True, '0': False}[text]
      else:
        value = ast.literal_eval(text)
        if isinstance(value, bool) or type(want)(value) != value:
          raise ValueError
        out[key] = type(want)(value)
    except (*_UNREADABLE, KeyError, SyntaxError, TypeError) as error:
      raise errors.UserError(
        f'config argument "{key}": "{text[:200]}" is not a'
        f' {type(want).__name__}'
      ) from error
  if out.smoke and smoke:
    return parse_arg(arg, **defaults | smoke)
  return out


def _unknown(name: str, key: str, schema: Mapping) -> errors.UserError:
  return errors.UserError(
    f'config field "{name[:100]}" is unknown'
    + errors.did_you_mean(key[:100], schema)
  )


def find(name: str) -> fields.Field | Mapping[str, Any]:
  """Returns the field or group `a.b.c` of the schema.

  Raises:
    UserError: there is none.
  """
  node = SCHEMA
  for key in name.split('.'):
    if isinstance(node, fields.Field):
      raise errors.UserError(
        f'config field "{name}" is unknown; what stands before "{key}" is no'
        ' group of fields'
      )
    if key not in node:
      raise _unknown(name, key, node)
    node = node[key]
  return node


def _shown(value: Any) -> str:
  """A value in a message, however large or deep."""
  short = reprlib.Repr()
  short.maxstring = short.maxother = 200
  short.maxtuple = short.maxlist = short.maxdict = 20
  return short.repr(value)


def _resolve(values: Mapping, schema: Mapping, prefix: str) -> dict[str, Any]:
  out = _walk(schema, lambda field: field.default)
  for key, value in values.items():
    name = f'{prefix}{key}'
    if key not in schema:
      raise _unknown(name, key, schema)
    node = schema[key]
    if isinstance(node, fields.Field):
      try:
        out[key] = node.convert(value)
      except ValueError as error:
        raise errors.UserError(
          f'config field "{name}" is {_shown(value)}, but {error}'
        ) from error
    elif isinstance(value, (Mapping, ml_collections.ConfigDict)):
      out[key] = _resolve(value, node, name + '.')
    else:
      raise errors.UserError(
        f'config field "{name}" is {_shown(value)}, but it is a group of'
        f' fields: {", ".join(node)}'
      )
  return out


def _whole(values: Mapping) -> dict[str, Any]:
  """All fields, if the modules are there that some of them may be of."""
  named = SCHEMA['plugins'].convert
  with contextlib.suppress(ValueError):  # Which `_resolve` blames on the field.
    plugins.check(named(values.get('plugins', ())))
  return _resolve(values, SCHEMA, '')


def filled(values: Mapping) -> ml_collections.ConfigDict:
  """Returns a config of some fields and the defaults of all others.

  Raises:
    UserError: an unknown field, a wrong type or a value out of range.
  """
  return ml_collections.ConfigDict(_whole(values))


def resolve(config: Mapping) -> ml_collections.FrozenConfigDict:
  """Returns the complete, checked config.

  Args:
    config: nested mapping with any part of the schema.

  Raises:
    UserError: an unknown field, a wrong type or a value out of range.
  """
  if isinstance(config, ml_collections.ConfigDict):
    config = config.to_dict()
  resolved = _whole(config)
  resolved['plugins'] = tuple(
    dict.fromkeys((*resolved['plugins'], *plugins.loaded()))
  )
  protocol, axes = resolved['data']['protocol'], resolved['fleet']
  if protocol in ONE_CLASS and not axes['normal_classes']:
    raise errors.UserError(
      'config field "fleet.normal_classes" is empty, but data.protocol'
      f' "{protocol}" needs at least one class, for example (0,)'
    )
  if protocol not in ONE_CLASS and axes['normal_classes']:
    raise errors.UserError(
      'config field "fleet.normal_classes" is set, but data.protocol'
      f' "{protocol}" has no normal class; use (), or one of'
      f' {", ".join(ONE_CLASS)}'
    )
  for axis in [name for name in axes if name != 'seeds']:
    if len(set(axes[axis])) != len(axes[axis]):
      raise errors.UserError(
        f'config field "fleet.{axis}" is {axes[axis]!r}: a value repeats'
      )
  if not axes['variants']:
    raise errors.UserError(
      'config field "fleet.variants" is empty; name at least one of '
      + ', '.join(registry.names())
    )
  memory, baselines = resolved['model']['memory'], resolved['eval']['baselines']
  threshold = max(axes['thresholds'] or (memory['threshold'],))
  slots = min(axes['slots'] or (memory['slots'],))
  if threshold >= slots:
    raise errors.UserError(
      f'the shrinkage threshold is {threshold:g}/N, but N is {slots}: no weight'
      ' can exceed it; lower model.memory.threshold (fleet.thresholds)'
    )
  _refuse_unread(resolved['model'])
  spread = resolved['mesh']['memory'] > 1
  if memory['read'] in ('dense', 'top_k') and spread:
    raise errors.UserError(
      f'config field "model.memory.read" is "{memory["read"]}", which reads'
      ' slots of one device; set mesh.memory to 1, or use "streaming"'
    )
  blocks = memory['read'] in ('streaming', 'top_k')
  if memory['shrink_gradient'] == 'published' and (spread or blocks):
    raise errors.UserError(
      'config field "model.memory.shrink_gradient" is "published", which only'
      ' the dense read has; set model.memory.read to "dense" and mesh.memory'
      ' to 1, or use "exact"'
    )
  if len(set(baselines)) != len(baselines):
    raise errors.UserError('config field "eval.baselines": a value repeats')
  if resolved['data']['image_width'] and not resolved['data']['image_size']:
    raise errors.UserError(
      'config field "data.image_width" is set, but data.image_size, the height,'
      ' is 0; set both'
    )
  for group, key in _PATHS:  # A run may move; data stay.
    if resolved[group][key]:
      path = paths.local(resolved[group][key], f'config field "{group}.{key}"')
      resolved[group][key] = str(path.absolute())
  return ml_collections.FrozenConfigDict(resolved)


def _refuse_unread(model: Mapping) -> None:
  """Raises UserError where a field is set that the network does not read."""
  for field, network in _READ_BY.items():
    value = model[field]
    if model['network'] != network and value != SCHEMA['model'][field].default:
      raise errors.UserError(
        f'config field "model.{field}" is {value!r}, but model.network'
        f' "{model["network"]}" does not read it; leave it out, or use'
        f' "{network}"'
      )


def flatten(config: Mapping, prefix: str = '') -> dict[str, Any]:
  """Returns {'data.name': 'digits', ...}."""
  out = {}
  for key, value in config.items():
    if isinstance(value, Mapping):
      out |= flatten(value, f'{prefix}{key}.')
    else:
      out[prefix + key] = value
  return out


def chosen(config: Mapping, wanted: Callable[[str], bool]) -> dict[str, Any]:
  """The fields that are wanted by their names, as of `flatten`."""
  fields = flatten(config.to_dict())
  return {name: value for name, value in fields.items() if wanted(name)}


def changed(
  config: Mapping, fields: Mapping[str, Any]
) -> ml_collections.FrozenConfigDict:
  """Returns a config with other values of fields, by names as of `flatten`.

  Raises:
    UserError: a value does not fit.
  """
  out = ml_collections.ConfigDict(config.to_dict())
  out.update_from_flattened_dict(fields)
  return resolve(out)


def of_family(config: Any, family: str) -> ml_collections.FrozenConfigDict:
  """Returns a config as a family of methods reads it.

  Its settings that are named as fields of `train` take their place.

  Args:
    config: resolved.
    family: of methods.
  """
  own = config.methods.get(family, {})
  shared = {name: own[name] for name in own if name in config.train}
  if not shared:
    return config
  out = ml_collections.ConfigDict(config.to_dict())
  out.train.update(shared)
  return ml_collections.FrozenConfigDict(out)


def to_json(config: ml_collections.FrozenConfigDict) -> str:
  """Returns the config as indented JSON text."""
  return json.dumps(config.to_dict(), indent=2) + '\n'


def read(path: pathlib.Path) -> dict[str, Any]:
  """Reads fields that `to_json` wrote.

  Raises:
    UserError: the file is missing or holds something else.
  """
  try:
    values = json.loads(path.read_text(encoding='utf-8'))
    if not isinstance(values, dict):
      raise ValueError('it holds no fields')
    return values
  except FileNotFoundError as error:
    raise errors.UserError(
      f'{path} does not exist; train first, or give the folder of a run'
    ) from error
  except _UNREADABLE as error:
    raise errors.UserError(
      f'{path} is not a readable config: {error}'
    ) from error


def load(path: pathlib.Path) -> ml_collections.FrozenConfigDict:
  """Reads a config that `to_json` wrote.

  Raises:
    UserError: the file is missing or is no config.
  """
  values = read(path)
  try:
    return resolve(values)
  except errors.UserError as error:
    raise errors.UserError(
      f'{path} is not a config of this project ({error}); give another'
      ' --workdir'
    ) from error
