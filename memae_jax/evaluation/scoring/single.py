"""One replica without the others of its fleet, as a function of samples.

It comes from an experiment, or from what an exported file says, without data.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.data import transforms, types
from memae_jax.evaluation.scoring import combined
from memae_jax.methods import base, registry
from memae_jax.training import experiment, fleet, step


class Single(NamedTuple):
  """One replica without the others of its fleet.

  trainer: of its method alone. variables, hyper, transform, seed: its own.
  parts: of its combined scores. rules: that of its score, and that of its maps.
  shape, dtype: of one sample, as `Source.inputs` has it.
  """

  trainer: step.Trainer
  variables: dict[str, Any]
  hyper: Any
  transform: Any
  seed: int
  parts: tuple[combined.Part, ...]
  rules: tuple[str, str]
  shape: tuple[int, ...]
  dtype: Any

  @property
  def arrays(self) -> dict[str, np.ndarray]:
    """Weights and scaling by name, such as 'variables/params/bank/slots'."""
    tree = {'variables': self.variables, 'transform': self.transform._asdict()}
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
      jax.tree_util.keystr(path, simple=True, separator='/'): np.asarray(
        leaf, jax.dtypes.canonicalize_dtype(leaf.dtype)
      )
      for path, leaf in leaves
    }

  def holding(self, arrays: Mapping[str, Any]) -> 'Single':
    """Returns this replica with other weights and scaling.

    Args:
      arrays: by name, see `arrays`.
    """
    tree: dict[str, Any] = {'variables': {}, 'transform': {}}
    for name, array in arrays.items():
      *folders, last = name.split('/')
      place = tree
      for folder in folders:
        place = place.setdefault(folder, {})
      place[last] = array
    return self._replace(
      variables={'params': {}, **tree['variables']},
      transform=types.Transform(**tree['transform']),
    )

  def predict(self, variables: Any, x: jax.Array) -> base.Prediction:
    """Returns what the method says of samples.

    Args:
      variables: of the method.
      x: [B, ...] model inputs.
    """
    # Keys depend on the place in a block; all blocks draw the same numbers.
    keys = step.sample_keys(jnp.uint32(self.seed), 0, jnp.arange(len(x)))
    mask = jnp.ones(len(x), bool)
    return self.trainer.predict(variables, x, self.hyper, mask, keys)

  def score(self, out: base.Prediction) -> jax.Array:
    """Returns the scores [B] of a prediction, by the rule of the run."""
    by_rule = out.scores | combined.scores(self.parts, out.scores)
    return by_rule[self.rules[0]]

  def outputs(self, x: jax.Array) -> dict[str, jax.Array]:
    """Returns what an exported program says of samples.

    Args:
      x: [B, ...] raw samples, after the host stage.

    Returns:
      `score` [B]; `errors`, for tables the squared error [B, D] of each input,
      else error maps [B, H, W], for clips those of the scored frame; and, with
      a memory, `kept` [B], the slots that the reads of a sample kept.
    """
    out = self.predict(self.variables, transforms.apply(x, self.transform))
    found = {'score': self.score(out)}
    maps = losses.map_of(self.rules[1], out.maps)
    if maps is not None:
      found['errors'] = maps
    if out.kept is not None:
      found['kept'] = out.kept
    return found


def of(
  exp: experiment.Experiment,
  weights: step.Weights,
  index: int,
  parts: tuple[combined.Part, ...] = (),
) -> Single:
  """Returns one replica.

  Args:
    exp: the experiment.
    weights: of the fleet.
    index: of the replica.
    parts: of its combined scores.
  """
  method, variables = exp.trainer.method.alone(
    exp.replicas[index], exp.programs.one(weights, index).variables
  )
  return Single(
    exp.trainer._replace(method=method),
    variables,
    exp.programs.method_hyper(index),
    exp.splits[index].transform,
    exp.replicas[index].seed,
    parts,
    (exp.rule, exp.map_rule),
    tuple(exp.source.inputs.shape[1:]),
    exp.source.inputs.dtype,
  )


def rebuilt(stored: Mapping[str, Any], arrays: Mapping[str, Any]) -> Single:
  """Returns a replica by what its exported file says, without data.

  Args:
    stored: content of meta.json.
    arrays: see `Single.arrays`.

  Raises:
    UserError: this version has no such config or replica.
  """
  config, inputs = config_lib.resolve(stored['config']), stored['input']
  name = stored['replica']['name']
  family = registry.find(stored['replica']['variant']).family
  replicas = fleet.families(config)[family]
  index = fleet.find(replicas, name)
  config = config_lib.of_family(config, family)
  source = _empty(inputs)
  method = experiment.method_of(config, source, replicas)
  trainer = experiment.trainer_of(config, method, source, 1)
  hyper = fleet.hyper(replicas, config, method).method
  of_file = Single(
    trainer,
    {},
    jax.tree.map(lambda x: x[index], hyper),
    None,
    replicas[index].seed,
    tuple(combined.Part(**part) for part in stored['rebuild']['parts']),
    tuple(stored['rebuild']['rules']),
    source.inputs.shape[1:],
    source.inputs.dtype,
  ).holding(arrays)
  method, variables = method.alone(replicas[index], of_file.variables)
  return of_file._replace(
    trainer=trainer._replace(method=method), variables=variables
  )


def _empty(inputs: Mapping[str, Any]) -> types.Source:
  """Returns a source without samples, of the kind that a file says."""
  none = np.zeros(0, np.int32)
  is_video = inputs['kind'] == 'clips'
  return types.Source(
    '',
    np.zeros((0, *inputs['shape']), inputs['dtype']),
    none,
    (),
    videos=types.Videos((), none, none, none) if is_video else None,
  )
