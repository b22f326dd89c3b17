"""Fields of `model`: the network and its memory."""

from typing import Any

from memae_jax.config import fields

ACTIVATIONS = ('tanh', 'relu', 'leaky_relu')
READS = ('auto', 'dense', 'streaming', 'top_k')
_COUNT = fields.integer(1, '', low=1)

MODEL: dict[str, Any] = {
  'network': fields.choice(
    'dense', ('dense', 'conv'), 'Kind of encoder and decoder.'
  ),
  'task': fields.choice(
    'reconstruct',
    ('reconstruct', 'predict'),
    'reconstruct: the sample itself. predict, for videos: the last frame of a'
    ' clip from those before it, which become channels of one image; or, with'
    ' data.input "both" and clips of one frame, the motion of a frame from the'
    ' frame. Scores belong to the predicted frame.',
  ),
  'widths': fields.many(
    _COUNT,
    (60, 30, 10),
    'dense: hidden widths. conv: channels of each layer.',
  ),
  'code': fields.integer(
    3, 'dense: width C of the encoding.', low=1
  ).of_network('dense'),
  'code_activation': fields.choice(
    'none', ('none', *ACTIVATIONS), 'dense: activation of the encoding.'
  ).of_network('dense'),
  'kernels': fields.many(
    _COUNT, (), 'conv: kernel size of each layer; empty: 3 for all.'
  ).of_network('conv'),
  'strides': fields.many(
    _COUNT, (), 'conv: stride of each layer; empty: 2 for all.'
  ).of_network('conv'),
  'time_strides': fields.many(
    _COUNT,
    (),
    'conv: stride in time of each layer, for clips; empty: as strides.',
  ).of_network('conv'),
  'paddings': fields.many(
    fields.integer(0, '', low=0),
    (),
    'conv: zeros around the input of each layer; empty: half of its kernel.',
  ).of_network('conv'),
  'linear_code': fields.boolean(
    False,
    'conv: neither norm nor activation after the last layer of the encoder.',
  ).of_network('conv'),
  'decoder_widths': fields.many(
    _COUNT,
    (),
    'dense: hidden widths of the decoder. conv: its channels before its output.'
    ' Empty: those of the encoder, mirrored.',
  ),
  'decoder_kernels': fields.many(
    _COUNT,
    (),
    'conv: kernel sizes of the decoder; empty: those of the encoder, mirrored.',
  ).of_network('conv'),
  'layout': fields.choice(
    'strided',
    ('strided', 'pool'),
    'conv: strided and transposed convolutions, or max-pooling and'
    ' up-sampling around plain ones.',
  ).of_network('conv'),
  'surplus': fields.choice(
    'cut',
    ('cut', 'convolve'),
    'pool: what becomes of rows and columns that up-sampling gives too many,'
    ' where a size was odd. cut: they are cut at once. convolve: the first'
    ' convolution that can take them away has no padding.',
  ).of_network('conv'),
  'activation': fields.choice(
    'tanh', ACTIVATIONS, 'Activation of hidden layers.'
  ),
  'output_activation': fields.choice(
    'none',
    ('none', 'sigmoid', 'tanh', 'relu'),
    'Activation of the output: sigmoid for inputs in [0, 1], tanh for [-1, 1].',
  ),
  'batch_norm': fields.boolean(
    False, 'Batch normalisation after each hidden layer.'
  ),
  'compute': fields.choice(
    'float32',
    ('float32', 'bfloat16'),
    'Type in which encoder and decoder compute. All else is float32:'
    ' parameters, moments, memory, losses and scores.',
  ),
  'remat': fields.boolean(
    False,
    'conv: keep only the convolutions for the backward pass and compute'
    ' norms and activations again. Saves memory if XLA keeps it so, which on a'
    ' CPU it does not.',
  ).of_network('conv'),
  'memory': {
    'slots': fields.integer(50, 'Memory size N.', low=1),
    'per_position': fields.boolean(
      False,
      'conv: one query for each position of the encoding; otherwise the'
      ' whole encoding is one query.',
    ),
    'similarity': fields.choice(
      'cosine',
      ('cosine', 'dot'),
      'cosine: as the paper. dot: as its released code.',
    ),
    'temperature': fields.number(
      1.0, 'Similarities are divided by this before the softmax.', above=0
    ),
    'threshold': fields.number(
      1.0,
      'Shrinkage threshold lambda in multiples of 1/N (paper: 1 to 3).'
      ' 0: no shrinkage.',
      low=0.0,
    ),
    'on_empty': fields.choice(
      'zero',
      ('zero', 'top1'),
      'Read of a query for which no slot survives: zeros, or the slot with the'
      ' largest weight.',
    ),
    'shrink_gradient': fields.choice(
      'exact',
      ('exact', 'published'),
      'exact: gradient of the softmax over the survivors. published: of the'
      ' relu formula.',
    ),
    'init': fields.choice(
      'uniform',
      ('uniform', 'encodings', 'k_means', 'k_centre'),
      'uniform: in +-1/sqrt(C), as the released code. encodings: of random'
      ' training samples by the initial encoder. k_means: centres of such'
      ' encodings. k_centre: some that lie far apart.',
    ),
    'read': fields.choice(
      'auto',
      READS,
      'dense: all addressing weights at once. streaming: over chunks of'
      ' slots, never all weights. auto: dense where it fits read_bytes.'
      ' top_k: only for evaluation, where few slots survive.',
    ).role(fields.NO_WEIGHT),
    'top_k': fields.integer(
      64, 'top_k: most similar slots that are read, per query.', low=1
    ).role(fields.NO_WEIGHT),
    'read_bytes': fields.integer(
      2**28,
      'Bytes that the addressing weights of a read may take.',
      low=2**16,
    ).role(fields.NO_WEIGHT),
  },
}
