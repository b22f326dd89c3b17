"""Attempts to train a run of a study: when each began and ended, and how."""

import json
import pathlib
from typing import Any, NamedTuple

from memae_jax.runtime import atomic, metrics_log

_ATTEMPTS = 'attempts.jsonl'
_ATTEMPT = {'event': str, 'seconds?': float, 'code?': int, 'error?': str}


class Costs(NamedTuple):
  """Costs of the attempts at a run.

  seconds: taken by the attempts whose end is known.
  attempts: how many began.
  unknown: attempts that were killed, so that their end is not known.
  """

  seconds: float
  attempts: int
  unknown: int


def costs(folder: pathlib.Path) -> Costs:
  """Sums up the attempts at the run in a folder."""
  events = _events(folder)
  ends = [e for e in events if e['event'] == 'end']
  begun = len(events) - len(ends)
  seconds = sum(e.get('seconds', 0) for e in ends)
  return Costs(seconds, begun, max(begun - len(ends), 0))


def _events(folder: pathlib.Path) -> list[dict[str, Any]]:
  """Reads the starts and ends of all attempts."""
  return metrics_log.read_events(folder / _ATTEMPTS, _ATTEMPT)


def last_end(folder: pathlib.Path) -> dict[str, Any]:
  """Returns the end of the last attempt that ended; {} if none did."""
  events = _events(folder)
  return next((e for e in reversed(events) if e['event'] == 'end'), {})


def note(folder: pathlib.Path, **event: Any) -> None:
  """Adds an event to the attempts at a run."""
  # The whole file is written, since a torn last line would spoil the next one.
  lines = [json.dumps(line) + '\n' for line in (*_events(folder), event)]
  atomic.write(folder / _ATTEMPTS, ''.join(lines))
