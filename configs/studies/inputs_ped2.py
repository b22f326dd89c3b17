"""Inputs and tasks on UCSD Ped2: what a network sees, and what it has to give.

python -m memae_jax.data.prepare ucsd_ped2 --manual_dir=FOLDER
python -m memae_jax.study --config=configs/studies/inputs_ped2.py \
  --workdir=runs/inputs_ped2

The recipe of motion, with what MemAE and an autoencoder are to rebuild, or to
foretell: the fifth of five, or the motion of a frame from it. Arguments: slots,
seeds, epochs, size (rows of cells), only (text in the label of a point; others
are left out), smoke.
"""

from memae_jax import config as config_lib
from memae_jax.studies import grid

_SEEN = {  # data.motion and data.input.
  'frames': ('none', 'frames'),
  'difference': ('difference', 'speed'),
  'motion': ('blocks', 'motion'),
  'speed': ('blocks', 'speed'),
}
_FORETOLD = {  # data.motion, data.input and data.clip_frames.
  'four frames, the next': ('none', 'frames', 5),
  'four of difference, the next': ('difference', 'speed', 5),
  'four of motion, the next': ('blocks', 'motion', 5),
  'four of speed, the next': ('blocks', 'speed', 5),
  'a frame, its difference': ('difference', 'both', 1),
  'a frame, its motion': ('blocks', 'both', 1),
}


def get_study(arg=''):
  """Returns each input and task, by MemAE and by an autoencoder."""
  smoke = {'slots': 10, 'epochs': 1.0, 'size': 32}
  usual = {'slots': 200, 'seeds': 1, 'epochs': 6.0, 'size': 64, 'only': ''}
  args = config_lib.parse_arg(arg, smoke=smoke, **usual)
  of_run = ('seeds', 'slots', 'epochs', 'size')
  base = ','.join(f'{key}={args[key]}' for key in of_run)
  seen = [(f'rebuilds {k}', *v, 1, 'reconstruct') for k, v in _SEEN.items()]
  seen += [(f'foretells: {k}', *v, 'predict') for k, v in _FORETOLD.items()]
  points = [
    {
      'variant': variant,
      'label': f'{variant}, {label}',
      'data.motion': motion,
      'data.input': given,
      'data.clip_frames': frames,
      'data.perspective': 0.5 if motion == 'blocks' else 0.0,
      'model.task': task,
    }
    for label, motion, given, frames, task in seen
    if args.only in label
    for variant in ('memae', 'ae')
  ]
  return grid.Study(
    base=f'../ped2.py:recipe=motion,{base}' + ',smoke' * bool(args.smoke),
    points=points,
    metric='auroc_normalised',
  )
