"""Layouts of checkpoints that earlier versions wrote.

The first one had `batch_stats` in place of collections by name.
"""

from typing import Any


def first(state: Any) -> dict[str, Any]:
  """Returns a `step.ReplicaState` in the first layout."""
  out = {'opt_state': state.opt_state, 'best': None}
  for part, weights in ((out, state), (best := {}, state.best)):
    if weights is not None:
      part['params'] = weights.params
      part['batch_stats'] = weights.collections.get('batch_stats', {})
  if state.best is not None:
    both = {'step': state.best.step, 'error': state.best.error}
    out['best'] = best | both
  return out


def from_first(stored: dict[str, Any], like: Any) -> Any:
  """Returns the `step.ReplicaState` of a state in the first layout.

  Args:
    stored: in the first layout.
    like: a `step.ReplicaState` of the same structure as the result.
  """

  def weights(part, like):
    kept = like.collections and {'batch_stats': part['batch_stats']}
    return like.replace(params=part['params'], collections=kept)

  best = like.best
  if best is not None:
    both = {key: stored['best'][key] for key in ('step', 'error')}
    best = weights(stored['best'], best).replace(**both)
  return weights(stored, like).replace(opt_state=stored['opt_state'], best=best)
