"""Files and lines that a run writes: atomic text, metrics.jsonl, progress.

Of several processes, only the first writes.
"""

import contextlib
import fcntl
import json
import logging
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from memae_jax.runtime import disk, errors, foreign, parallel, strict_json

_LOG = logging.getLogger(__name__)
_EVENT = {  # Of metrics.jsonl.
  'step': int,
  'time': float,
  'split': str,
  'replicas?': {str: [strict_json.Maybe(float)]},
  str: strict_json.Maybe(float),
}


def write_atomic(path: pathlib.Path, content: str | bytes) -> None:
  """Writes a file so that a reader sees the old or the new, never a part.

  Raises:
    UserError: the disk refuses it.
  """
  if not parallel.is_first():
    return
  data = content
  if isinstance(content, str):  # Names may hold bytes that are no UTF-8.
    data = content.encode('utf-8', 'backslashreplace')
  with replacing(path) as place:
    place.write_bytes(data)


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a place to write to, which becomes the file when it is whole.

  It ends as `path` does. For the first process only.

  Raises:
    UserError: the disk refuses it.
  """
  with disk.writing(path.parent):
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
      dir=path.parent, prefix=f'.{path.stem[:20]}.', suffix=path.suffix
    )
    try:
      with os.fdopen(handle, 'rb') as file:
        yield pathlib.Path(name)
        os.fsync(file.fileno())
      os.chmod(name, 0o666 & ~_umask())
      os.replace(name, path)
    except BaseException:
      pathlib.Path(name).unlink(missing_ok=True)
      raise


def _umask() -> int:
  current = os.umask(0)
  os.umask(current)
  return current


@contextlib.contextmanager
def exclusive(lock: pathlib.Path, doing: str, wait: bool = False):
  """Holds a lock that ends with the process, however it ends.

  Of several processes, the first holds it for all.

  Args:
    lock: the file.
    doing: what its holder does, for the error.
    wait: until another process lets go.

  Yields:
    The open file; a child process that inherits it holds the lock, too. None
    in processes but the first.

  Raises:
    UserError: another process holds it, and `wait` is False.
  """
  if not parallel.is_first():
    yield None
    return
  lock.parent.mkdir(parents=True, exist_ok=True)
  with lock.open('ab+') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
      raise errors.UserError(
        f'another process is {doing} in {lock.parent}; wait for it'
      ) from error
    file.truncate(0)
    file.write(f'{os.getpid()} {time.time_ns()}\n'.encode())
    file.flush()
    yield file


def is_there(held: Any) -> bool:
  """Whether the file of a lock is still the one that is held.

  Args:
    held: as `exclusive` yields it.
  """
  held.seek(0)
  try:
    return pathlib.Path(held.name).read_bytes() == held.read()
  except OSError:
    return False


def claim(stack: contextlib.ExitStack, lock: pathlib.Path, doing: str) -> Any:
  """Holds a lock as `exclusive` does, until `stack` closes.

  For the first process only.

  Returns:
    The open file, or None if another process holds it.
  """
  try:
    return stack.enter_context(exclusive(lock, doing))
  except errors.UserError:
    return None


def has_checkpoints(workdir: pathlib.Path) -> bool:
  """Whether a run has a whole checkpoint; half-written folders do not count."""
  folders = (workdir / 'checkpoints').glob('[0-9]*')
  return any(folder.name.isdigit() for folder in folders)


def read_events(
  path: pathlib.Path, shape: Any = _EVENT
) -> list[dict[str, Any]]:
  """Reads a file of one JSON object a line, such as metrics.jsonl.

  What the end of a process or of its machine tore is left out: the last line,
  and zeros in place of what was never written.

  Args:
    path: of the file; no events where there is none.
    shape: of an event, see `strict_json.check`.

  Raises:
    UserError: another line is no event.
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
      raise _no_event(path, number, error) from error
    try:
      strict_json.check(event, shape)
    except ValueError as error:
      raise _no_event(path, number, error) from error
    events.append(event)
  return events


def _no_event(path, number: int, error: ValueError) -> errors.UserError:
  return errors.UserError(
    f'{foreign.name_of(path)} line {number} is no event of a run'
    f' ({foreign.reason(error)}); remove that line'
  )


def log(workdir: pathlib.Path, family: str = '') -> pathlib.Path:
  """Where a run logs: metrics.jsonl, and a file for each further family."""
  return workdir / f'metrics{family and f"-{family}"}.jsonl'


def json_text(value: Any) -> str:
  """JSON for people and programs to read; NaN and infinity are refused."""
  return json.dumps(value, indent=2, allow_nan=False) + '\n'


class MetricsWriter:
  """Appends to metrics.jsonl, one object a log event, and to TensorBoard.

  Opening it for a run that resumes at `step` drops events after that step,
  so each step stands once.
  """

  def __init__(
    self,
    workdir: pathlib.Path,
    step: int,
    tensorboard: bool = False,
    family: str = '',
  ):
    """Opens the `log` of a family; step -1 starts it anew."""
    first, board = parallel.is_first(), None
    if tensorboard and first:
      try:
        from tensorboardX import SummaryWriter as board
      except ImportError as error:
        raise errors.UserError(
          'train.tensorboard needs tensorboardX: pip install'
          " -e '.[tensorboard]'"
        ) from error
    self._path = log(workdir, family)
    kept = [e for e in read_events(self._path) if e['step'] <= step]
    write_atomic(
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
    """Writes the values of the fleet, and of replicas: their means, and all."""
    means = dict(fleet or {})
    for key, values in replicas.items():
      defined = [v for v in values if v is not None]
      if defined:
        means[key] = sum(defined) / len(defined)
    event = {'step': step, 'time': time.time(), 'split': split, **means}
    if any(len(values) > 1 for values in replicas.values()):
      event['replicas'] = replicas
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


class Progress:
  """A bar on a terminal, a plain line now and then elsewhere."""

  def __init__(self, name: str, total: int, start: int = 0):
    """Starts at `start` of `total` steps."""
    self._name, self._total = name, total
    self._told = time.time()
    # Step and time of the first report, by when all is compiled.
    self._first: tuple[int, float] | None = None
    self._bar = None
    if sys.stderr.isatty() and parallel.is_first():
      import tqdm  # A scorer does without.

      self._bar = tqdm.tqdm(total=total, initial=start, desc=name, unit='step')

  def at(self, step: int, text: str) -> None:
    """Reports that `step` is reached."""
    if self._bar is not None:
      self._bar.set_postfix_str(text, refresh=False)
      self._bar.update(step - self._bar.n)
      return
    now = time.time()
    if self._first is None:
      self._first = step, now
    if now - self._told < 10 and step < self._total:
      return
    self._told = now
    start, begun = self._first
    speed = ''
    if step > start:
      each = max(now - begun, 1e-9) / (step - start)
      left = _clock((self._total - step) * each)
      shown = f'{_short(1 / each)} a second'
      if each > 1:
        shown = f'{_short(each)} s each'
      speed = f'{shown}  {left} left  '
    _LOG.info('%s %d/%d  %s%s', self._name, step, self._total, speed, text)

  def close(self) -> None:
    """Ends the bar."""
    if self._bar is not None:
      self._bar.close()


def _short(value: float) -> str:
  return f'{value:.0f}' if value >= 10 else f'{value:.2g}'


def _clock(seconds: float) -> str:
  minutes, seconds = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return f'{hours}:{minutes:02d}:{seconds:02d}'
