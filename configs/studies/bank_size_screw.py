"""Size of banks of patches on a folder of pictures, N from 100 to a million.

python -m memae_jax.study --workdir=runs/bank_sizes_screw --max_replicas=3 \
  --config=configs/studies/bank_size_screw.py:path=screw

Slots are patches of 8 x 8 pixels at all positions of the training pictures,
drawn at random or, up to 10,000, far apart (k-centre). A million slots need a
million positions: 262 pictures of 256 pixels at a stride of 4. As each sample
has thousands of queries, they take hours on two cores. --max_replicas keeps
small banks from being read as large ones. Arguments: path (a folder laid out
like MVTec AD), size, stride, slots, select (joined by "+"), seeds, smoke.
"""

from memae_jax import config as config_lib
from memae_jax.studies import grid

_MOST = {'k_centre': 10_000}


def get_study(arg=''):
  """Returns banks of five sizes, chosen in two ways."""
  args = config_lib.parse_arg(
    arg,
    path='',
    size=256,
    stride=4,
    slots=(100, 1000, 10_000, 100_000, 1_000_000),
    select='random+k_centre',
    seeds=3,
    smoke={'size': 32, 'slots': (10, 20), 'seeds': 1},
  )
  base = f'path={args.path},size={args.size},seeds={args.seeds},variant=bank'
  return grid.Study(
    base=f'../image_folder.py:{base}' + (',smoke' if args.smoke else ''),
    points=[
      {'methods.bank.select': select, 'model.memory.slots': count}
      for select in args.select.split('+')
      for count in args.slots
      if count <= _MOST.get(select, count)
    ],
    fields={
      'methods.bank.positions': 0,
      'methods.bank.stride': args.stride,
      'eval.baselines': (),
      'eval.pseudo': False,
    },
    metric='pixel_auroc',
  )
