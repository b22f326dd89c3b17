"""What a network of UCSD Ped2 sees, and what it has to give: input and task.

python -m memae_jax.data.prepare ucsd_ped2 --manual_dir=FOLDER
python -m memae_jax.study --config=configs/studies/inputs_ped2.py \
  --workdir=runs/inputs_ped2

The recipe of motion, with frames, their differences, motion and speed of cells
to reconstruct; and to predict, the fifth frame from four, or motion, speed of
cells or the difference from one frame. Each by MemAE and by an autoencoder.
Arguments: slots, seeds, epochs, size (rows of cells), smoke.
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
  'a frame, its difference': ('difference', 'both', 1),
  'a frame, its motion': ('blocks', 'both', 1),
}


def get_study(arg=''):
  """Returns each input and task, by MemAE and by an autoencoder."""
  args = config_lib.parse_arg(
    arg,
    slots=200,
    seeds=1,
    epochs=6.0,
    size=64,
    smoke={'slots': 10, 'epochs': 1.0, 'size': 32},
  )
  base = f'../ped2.py:recipe=motion,seeds={args.seeds},slots={args.slots},'
  base += f'epochs={args.epochs},size={args.size}'
  tasks = [
    {'data.motion': motion, 'data.input': seen, 'label': f'rebuilds {name}'}
    for name, (motion, seen) in _SEEN.items()
  ] + [
    {
      'data.motion': motion,
      'data.input': seen,
      'data.clip_frames': frames,
      'model.task': 'predict',
      'label': f'foretells: {name}',
    }
    for name, (motion, seen, frames) in _FORETOLD.items()
  ]
  for task in tasks:
    if task['data.motion'] != 'blocks':
      task['data.perspective'] = 0.0
  return grid.Study(
    base=base + (',smoke' if args.smoke else ''),
    points=[
      task | {'variant': variant, 'label': f'{variant}, {task["label"]}'}
      for task in tasks
      for variant in ('memae', 'ae')
    ],
    metric='auroc_normalised',
  )
