"""Layouts of checkpoints that earlier versions wrote."""

from typing import Any


def first(state: Any) -> dict[str, Any]:
  """Returns a state as it was stored when it had `batch_stats` alone."""
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
  """Returns a state like another one, of what `first` describes."""

  def weights(part, like):
    kept = like.collections and {'batch_stats': part['batch_stats']}
    return like.replace(params=part['params'], collections=kept)

  best = like.best
  if best is not None:
    both = {key: stored['best'][key] for key in ('step', 'error')}
    best = weights(stored['best'], best).replace(**both)
  return weights(stored, like).replace(opt_state=stored['opt_state'], best=best)
