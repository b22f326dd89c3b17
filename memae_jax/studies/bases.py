"""Studies that take their base by argument."""

from collections.abc import Sequence
from typing import Any

from memae_jax.runtime import errors
from memae_jax.studies import grid

METRICS = {  # What each config in configs/ is judged by.
  'digits': 'auroc',
  'mnist': 'auroc',
  'cifar10': 'auroc',
  'kddcup99': 'f1_at_ratio',
  'ped2': 'auroc_normalised',
  'moving_shapes': 'auroc_normalised',
}
# Of `config.parse_arg`; 0: as the base has it.
ARGUMENTS = {
  'base': 'digits',
  'classes': 0,
  'seeds': 0,
  'seed': 0,
  'epochs': 0.0,
  'size': 0,
}


def on(args: Any, points: Sequence[grid.Fields]) -> grid.Study:
  """A study of MemAE on the base that the arguments name.

  Raises:
    UserError: there is no such base.
  """
  if args.base not in METRICS:
    raise errors.UserError(
      f'config argument "base" is "{args.base}"; use {", ".join(METRICS)}'
    )
  asked = {
    'fleet.normal_classes': tuple(range(args.classes)),
    'fleet.seeds': args.seeds,
    'train.seed': args.seed,
    'train.epochs': args.epochs,
    'data.image_size': args.size,
  }
  return grid.Study(
    base=f'../{args.base}.py:variant=memae' + (',smoke' if args.smoke else ''),
    points=points,
    fields={field: value for field, value in asked.items() if value},
    metric=METRICS[args.base],
  )
