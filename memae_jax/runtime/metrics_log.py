"""Log of a run, metrics.jsonl, and the same values for TensorBoard."""

import json
import os
import pathlib
import time
from typing import Any

from memae_jax.runtime import (
  atomic,
  disk,
  errors,
  foreign,
  parallel,
  strict_json,
)

_EVENT = {  # A line of metrics.jsonl.
  'step': int,
  'time': float,
  'split': str,
  'replicas?': {str: [strict_json.Maybe(float)]},
  str: strict_json.Maybe(float),
}


def read_events(
  path: pathlib.Path, shape: Any = _EVENT
) -> list[dict[str, Any]]:
  """Reads a file of one JSON object per line, such as metrics.jsonl.

  A process or a machine that ends early may tear the last line, or leave zeros
  in its place; both are left out.

  Args:
    path: of the file; if it does not exist there are no events.
    shape: of an event, see `strict_json.check`.

  Raises:
    UserError: another line is not an event.
  """
  if not path.exists():
    return []
  lines = foreign.content(path).rstrip(b'\0').splitlines()
  events = []
  for number, line in enumerate(lines, 1):
    try:
      event = strict_json.loads(line)
    except ValueError as error:
      if number == len(lines):
        break
      raise _not_an_event(path, number, error) from error
    try:
      strict_json.check(event, shape)
    except ValueError as error:
      raise _not_an_event(path, number, error) from error
    events.append(event)
  return events


def _not_an_event(path, number: int, error: ValueError) -> errors.UserError:
  return errors.UserError(
    f'{foreign.name_of(path)} line {number} is not an event of a run'
    f' ({foreign.reason(error)}); remove that line'
  )


def log(workdir: pathlib.Path, family: str = '') -> pathlib.Path:
  """Returns the path of the log of a family; '' is the first family."""
  return workdir / f'metrics{family and f"-{family}"}.jsonl'


def _event(
  step: int,
  split: str,
  replicas: dict[str, list[float | None]],
  fleet: dict[str, float] | None,
) -> tuple[dict[str, Any], dict[str, float]]:
  """Returns an event as a line holds it, and its values without replicas."""
  means = dict(fleet or {})
  for key, values in replicas.items():
    defined = [v for v in values if v is not None]
    if defined:
      means[key] = sum(defined) / len(defined)
  event = {'step': step, 'time': time.time(), 'split': split, **means}
  if any(len(values) > 1 for values in replicas.values()):
    event['replicas'] = replicas
  return event, means


class Events(list[dict[str, Any]]):
  """Log events in memory, as `MetricsWriter` writes them."""

  def write(
    self,
    step: int,
    split: str,
    replicas: dict[str, list[float | None]],
    fleet: dict[str, float] | None = None,
  ) -> None:
    """Appends an event, see `MetricsWriter.write`."""
    self.append(_event(step, split, replicas, fleet)[0])

  def text(self) -> str:
    """Returns the lines of metrics.jsonl."""
    return ''.join(json.dumps(e, allow_nan=False) + '\n' for e in self)


class MetricsWriter:
  """Appends to metrics.jsonl, one object per log event, and to TensorBoard.

  Opening it for a run that resumes at `step` drops the events after that step,
  so that no step stands twice.
  """

  def __init__(
    self,
    workdir: pathlib.Path,
    step: int,
    tensorboard: bool = False,
    family: str = '',
  ):
    """Opens the `log` of a family.

    Args:
      workdir: of the run.
      step: at which the run resumes; -1: the log starts anew.
      tensorboard: whether values are written for TensorBoard, too.
      family: '' for the first one.

    Raises:
      UserError: TensorBoard is wanted, but tensorboardX is not installed.
    """
    first, board = parallel.is_first(), None
    if tensorboard and first:
      try:
        from tensorboardX import SummaryWriter as board
      except ImportError as error:
        raise errors.UserError(
          'train.tensorboard needs tensorboardX: pip install'
          " 'memae_jax[tensorboard]'"
        ) from error
    self._path = log(workdir, family)
    kept = [e for e in read_events(self._path) if e['step'] <= step]
    atomic.write(
      self._path, ''.join(json.dumps(event) + '\n' for event in kept)
    )
    # Nothing is left in a buffer that a full disk would refuse once more.
    where = self._path if first else pathlib.Path(os.devnull)
    self._file = where.open('ab', buffering=0)
    self._board = board and board(
      str(workdir / 'tensorboard' / family), purge_step=max(step, 0)
    )

  def write(
    self,
    step: int,
    split: str,
    replicas: dict[str, list[float | None]],
    fleet: dict[str, float] | None = None,
  ) -> None:
    """Writes an event: values of the fleet, and of its replicas.

    Args:
      step: of the event.
      split: that the values are of, such as 'train'.
      replicas: values by name, one per replica; their means are written, too.
      fleet: values by name that are not of single replicas.

    Raises:
      UserError: the disk refuses it.
    """
    event, means = _event(step, split, replicas, fleet)
    left = (json.dumps(event, allow_nan=False) + '\n').encode()
    with disk.writing(self._path):
      while left:
        left = left[self._file.write(left) :]
    if self._board is not None:
      for key, value in means.items():
        self._board.add_scalar(f'{split}/{key}', value, step)

  def close(self) -> None:
    """Closes the files."""
    self._file.close()
    if self._board is not None:
      self._board.close()
