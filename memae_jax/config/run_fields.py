"""Fields of `train`, `fleet`, `mesh` and `eval`: how a run proceeds."""

from typing import Any

from memae_jax import conformal
from memae_jax.config import fields
from memae_jax.methods import registry

BASELINES = (
  'random',
  'untrained',
  'frame_difference',
  'no_bank',
  'mean',
  'pca',
  'kde',
  'isolation_forest',
  'ocsvm',
  'nearest',
  'k_means',
  'lof',
  'brightness',
  'contrast',
  'contrast_mean',
  'local_deviation_3',
  'local_deviation_7',
)
_POSITIVE = fields.number(1.0, '', above=0)
_NATURAL = fields.integer(0, '', low=0)
_COUNT = fields.integer(1, '', low=1)
_NAME = fields.name()


def _scores() -> tuple[str, ...]:
  from memae_jax import losses  # It needs JAX.

  return losses.names()


def _losses() -> tuple[str, ...]:
  from memae_jax import losses

  return losses.names('trains')


TRAIN: dict[str, Any] = {
  'seed': fields.integer(0, 'Seed of the first replica.', low=0, high=2**31),
  'batch_size': fields.integer(64, 'Samples per step.', low=1),
  'accumulate': fields.integer(
    1,
    'A batch is taken in so many parts, one after another, which needs less'
    ' memory. Gradients are the same, except that norms see one part each.',
    low=1,
  ),
  'epochs': fields.number(
    100.0,
    'Passes over the largest training set of the fleet; all replicas take'
    ' the same number of steps.',
    above=0,
  ),
  'loss': fields.choice(
    'mse',
    _losses,
    'Reconstruction loss. bce takes data in [0, 1] (data.scaling minmax) and'
    ' model.output_activation sigmoid. Features are matched by the method'
    ' fm_ae, whose loss is its own.',
  ),
  'learning_rate': fields.number(1e-4, 'Learning rate of Adam.', above=0),
  'schedule': fields.choice(
    'constant',
    ('constant', 'cosine', 'steps'),
    'Schedule of the learning rate. steps: it falls by train.decay at each of'
    ' train.milestones.',
  ),
  'milestones': fields.many(
    fields.number(0.5, '', above=0, high=1.0),
    (),
    'Schedule steps: shares of the gradient steps after which the learning rate'
    ' falls; 0.5 is epoch 40 of 80.',
  ),
  'decay': fields.number(
    0.1,
    'Schedule steps: factor on the learning rate at each milestone.',
    above=0,
    high=1.0,
  ),
  'warmup_steps': fields.integer(0, 'Steps of linear warm-up.', low=0),
  'clip_norm': fields.number(
    0.0, 'Gradients are clipped to this global norm; 0: they are not.', low=0.0
  ),
  'weight_decay': fields.number(
    0.0, 'Decoupled weight decay (AdamW).', low=0.0
  ),
  'alpha': fields.number(2e-4, 'Weight of the entropy loss.', low=0.0),
  'code_l1': fields.number(
    1e-3, 'ae_l1: weight of the mean absolute value of train.l1_of.', low=0.0
  ),
  'l1_of': fields.choice(
    'code',
    ('code', 'first_layer'),
    'ae_l1: what is penalised, the code or, of dense networks, what the first'
    ' hidden layer gives.',
  ),
  'noise': fields.number(
    0.5, 'dae: standard deviation of the Gaussian noise on inputs.', low=0.0
  ),
  'noise_range': fields.many(
    fields.number(0.0, ''),
    (),
    'dae: noisy inputs are clipped to this range, such as (0, 1); empty: they'
    ' are not.',
  ),
  'kl_weight': fields.number(
    0.1,
    'vae: weight of the divergence from the prior, per element of a sample.',
    low=0.0,
  ),
  'log_every': fields.integer(
    0, 'Steps between log events; 0: about 100 events per run.', low=0
  ).role(fields.LOOKS),
  'checkpoint_every': fields.integer(
    0,
    'Steps between checkpoints, rounded to a multiple of log_every; 0: about'
    ' 10 checkpoints per run.',
    low=0,
  ).role(fields.NO_WEIGHT),
  'validate_every': fields.integer(
    0,
    'Steps between validations, rounded to a multiple of log_every; 0: about'
    ' 20 per run.',
    low=0,
  ).role(fields.LOOKS),
  'keep': fields.integer(
    2, 'How many of the newest checkpoints are kept.', low=1
  ).role(fields.NO_WEIGHT),
  'keep_all': fields.boolean(
    False, 'Keep every checkpoint, for curves over training.'
  ).role(fields.NO_WEIGHT),
  'fleet_map': fields.choice(
    'auto',
    ('auto', 'vmap', 'map'),
    'How replicas share a device; auto: map on CPU, else vmap.',
  ),
  'tensorboard': fields.boolean(False, 'Also write TensorBoard events.').role(
    fields.NO_WEIGHT
  ),
}

FLEET: dict[str, Any] = {
  'seeds': fields.integer(
    1, 'How many replicas per setting; seeds are train.seed, +1, ...', low=1
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
    _COUNT, (), 'Memory sizes N; empty: model.memory.slots.'
  ),
  'thresholds': fields.many(
    fields.number(1.0, '', low=0.0),
    (),
    'Thresholds; empty: model.memory.threshold.',
  ),
  'alphas': fields.many(
    fields.number(1.0, '', low=0.0), (), 'Entropy weights; empty: train.alpha.'
  ),
  'learning_rates': fields.many(
    _POSITIVE, (), 'Learning rates; empty: train.learning_rate.'
  ),
}

MESH: dict[str, Any] = {
  'replica': fields.integer(
    0, 'Devices that replicas are spread over; 0: as many as help.', low=0
  ).role(fields.NO_WEIGHT),
  'data': fields.integer(
    0,
    'Devices that a batch is spread over; 0: those that are left (1 on the'
    ' CPUs of one process).',
    low=0,
  ).role(fields.NO_WEIGHT),
  'memory': fields.integer(
    1, 'Devices that the slots are spread over.', low=1
  ).role(fields.NO_WEIGHT),
}

EVAL: dict[str, Any] = {
  'checkpoint': fields.choice(
    'last',
    ('last', 'validation'),
    'Which weights are evaluated: the last, or for each replica those'
    ' with the lowest validation error.',
  ),
  'batch_size': fields.integer(
    1024, 'Samples per replica that are scored at once.', low=1
  ),
  'score': fields.choice(
    'mse',
    _scores,
    'Score rule. mse: mean squared error. Videos also have mae_clip (the'
    ' released code since 2021), release2019 (before), mse_centre and'
    ' psnr_centre (of the scored frame alone), and mse_averaged (of a frame in'
    ' all its clips); single and predicted frames have psnr; all have max_cell'
    ' and largest_cells (of the map of errors), and pictures max_cell and'
    ' mean_cell. sum, product: of those in eval.parts. Results have a table of'
    ' all.',
  ),
  'largest_cells': fields.number(
    0.005,
    'Videos: largest_cells is the mean over so many cells, or over this share'
    ' of them if it is below 1.',
    above=0,
  ),
  'smooth': fields.number(
    0.0,
    'Videos: all scores of the frames of a video, also those of baselines, are'
    ' smoothed by a Gaussian of this deviation, in frames; 0: they are not.',
    low=0.0,
  ),
  'parts': fields.many(
    fields.choice('mse', _scores, ''),
    (),
    'Scores that the rules sum and product combine, each standardised by'
    ' validation normals; a method that lacks one is scored by the others.',
  ),
  'shares': fields.many(
    _POSITIVE, (), 'Weights of eval.parts, in their order; empty: all 1.'
  ),
  'candidates': fields.many(
    fields.choice('mse', _scores, ''),
    (),
    'Images: of these rules each replica also takes the one by which'
    ' pseudo-anomalies, changed validation normals, stand out most; results'
    ' have it as a row of its own, beside the rule that eval.score fixes.',
  ),
  'video': fields.text(
    '',
    'With --mode=eval: score this video file, or folder of frames, and'
    ' nothing else.',
  ).role(fields.PATH),
  'frame_rate': fields.number(
    0.0,
    'Frames per second of videos that are folders of pictures, for the times'
    ' of scores and the speed of films; 0: not known, and films play 10 per'
    ' second. Video files have their own rate.',
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
    'Quantile of the validation normals at which a score is flagged, for F1'
    ' without test labels.',
    above=0,
    high=1.0,
  ),
  'false_alarm': fields.number(
    conformal.RATE,
    'Rate of false alarms that is promised for new normals, by conformal'
    ' p-values of the validation normals, of which it takes 1 / rate - 1.',
    above=0,
    high=0.5,
  ),
  'fdr': fields.number(
    0.1,
    'Largest mean share of normals among what is flagged where a whole test set'
    ' is judged at once, by Benjamini and Hochberg.',
    above=0,
    high=0.5,
  ),
  'alarms_per_hour': fields.number(
    0.0,
    'Videos: alarms per hour that the normal videos of the validation set a'
    ' threshold for; 0: none. It takes an hour of them over this number.',
    low=0.0,
  ),
  'alarm_gap': fields.number(
    1.0,
    'Seconds between two runs of flagged frames below which they are one alarm'
    ' of that rate.',
    low=0.0,
  ),
  'alarms_per_day': fields.integer(
    100,
    'Payments: alarms per day, the highest scores of the test set, for which'
    ' frauds and amounts that are caught are metrics; the report has a curve'
    ' over other numbers.',
    low=1,
  ),
  'headline': fields.choice(
    'auroc',
    ('auroc', 'average_precision'),
    'Metric that report and terminal begin with, where a paper sets no other.'
    ' Where anomalies are rare, AUROC flatters.',
  ),
  'baselines': fields.many(
    fields.choice('pca', BASELINES, ''),
    BASELINES,
    'Baselines on the same samples; frame_difference is for videos only,'
    ' no_bank (the speed itself) for videos whose motion is seen, brightness,'
    ' contrast and contrast_mean for images, local_deviation_3 and'
    ' local_deviation_7 for images with masks or eval.defect_area.',
  ),
  'baseline_samples': fields.integer(
    20000, 'At most this many samples fit a baseline.', low=10
  ),
  'course': fields.boolean(
    False,
    'Evaluate every kept checkpoint (with train.keep_all), as --steps=all'
    ' does.',
  ),
  'odd_inputs': fields.boolean(
    True,
    'Images: show what methods make of pictures that are of no class: noise, an'
    ' inverted one, shapes.',
  ),
  'embedding': fields.boolean(
    True,
    'Show queries of test samples and slots of memories in two dimensions.',
  ),
  'columns': fields.integer(
    3,
    'Tables: so many columns that add most to the score of a row stand beside'
    ' it, with their shares, where the score is a sum over columns; 0: none.',
    low=0,
  ),
  'pictures': fields.integer(
    0,
    'Images whose maps are kept (those with masks, or with eval.defect_area):'
    ' so many test pictures, the highest scores first, get a figure each with'
    ' the maps of all methods.',
    low=0,
  ),
  'pseudo': fields.boolean(
    True,
    'Images: also score pseudo-anomalies, which are changed validation'
    ' normals, to choose settings without test data.',
  ),
  'defect_area': fields.number(
    0.0,
    'Labelled images: a defect has at least this share of the area of a'
    ' picture, by which maps get a threshold from validation normals and decide'
    ' on pictures, as in MVTec AD; 0.0005 is 33 pixels of 256 x 256; 0: they do'
    ' not.',
    low=0.0,
    high=0.25,
  ),
  'bootstrap': fields.integer(
    200, 'Resamples per bootstrap interval; 0: no intervals.', low=0
  ),
}
