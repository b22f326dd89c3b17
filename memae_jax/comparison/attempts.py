"""Attempts at a run of a study: when each began and ended, and how."""

import json
import pathlib
from typing import Any, NamedTuple

from memae_jax.runtime import atomic, metrics_log

_ATTEMPTS = 'attempts.jsonl'


_ATTEMPT = {'event': str, 'seconds?': float, 'code?': int, 'error?': str}


class Costs(NamedTuple):
  """What the attempts at a run took.

  seconds: of those whose end is known. unknown: attempts that were killed.
  """

  seconds: float
  attempts: int
  unknown: int


def costs(folder: pathlib.Path) -> Costs:
  """Sums up the attempts at a run."""
  events = _events(folder)
  ends = [e for e in events if e['event'] == 'end']
  begun = len(events) - len(ends)
  seconds = sum(e.get('seconds', 0) for e in ends)
  return Costs(seconds, begun, max(begun - len(ends), 0))


def _events(folder: pathlib.Path) -> list[dict[str, Any]]:
  return metrics_log.read_events(folder / _ATTEMPTS, _ATTEMPT)


def last_end(folder: pathlib.Path) -> dict[str, Any]:
  """Returns the event by which the last attempt that ended did so, or {}."""
  events = _events(folder)
  return next((e for e in reversed(events) if e['event'] == 'end'), {})


def note(folder: pathlib.Path, **event: Any) -> None:
  """Adds an event to the attempts at a run."""
  # Written anew: what a crash tore must not spoil the line after it.
  lines = [json.dumps(one) + '\n' for one in (*_events(folder), event)]
  atomic.write(folder / _ATTEMPTS, ''.join(lines))
