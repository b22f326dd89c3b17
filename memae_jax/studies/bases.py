"""Studies whose base config is an argument."""

from collections.abc import Sequence
from typing import Any

from memae_jax.runtime import errors
from memae_jax.studies import grid

METRICS = {  # The metric of the studies of each config in configs/.
  'digits': 'auroc',
  'mnist': 'auroc',
  'cifar10': 'auroc',
  'kddcup99': 'f1_at_ratio',
  'ped2': 'auroc_normalised',
  'moving_shapes': 'auroc_normalised',
}
# Defaults for `config.parse_arg`; 0: as the base has it.
ARGUMENTS = {
  'base': 'digits',
  'classes': 0,
  'seeds': 0,
  'seed': 0,
  'epochs': 0.0,
  'size': 0,
}


def on(args: Any, points: Sequence[grid.Fields]) -> grid.Study:
  """Returns a study of MemAE on the base that the arguments name.

  Args:
    args: parsed, with the fields of `ARGUMENTS` and `smoke`.
    points: of the study.

  Raises:
    UserError: there is no such base.
  """
  if args.base not in METRICS:
    raise errors.UserError(
      f'config argument "base" is "{args.base}"; use {", ".join(METRICS)}'
    )
  fields = {
    'fleet.normal_classes': tuple(range(args.classes)),
    'fleet.seeds': args.seeds,
    'train.seed': args.seed,
    'train.epochs': args.epochs,
    'data.image_size': args.size,
  }
  return grid.Study(
    base=f'../{args.base}.py:variant=memae' + (',smoke' if args.smoke else ''),
    points=points,
    fields={field: value for field, value in fields.items() if value},
    metric=METRICS[args.base],
  )
