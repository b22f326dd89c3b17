"""Progress of long work: a bar on a terminal, lines elsewhere."""

import contextlib
import contextvars
import logging
import sys
import time
from collections.abc import Iterator

from memae_jax.runtime import parallel

_LOG = logging.getLogger(__name__)


# Whether there are bars; None: on a terminal.
_SHOW: contextvars.ContextVar[bool | None] = contextvars.ContextVar(
  'show', default=None
)


@contextlib.contextmanager
def shown(show: bool) -> Iterator[None]:
  """Shows all bars that start in a block, also in a notebook, or none."""
  token = _SHOW.set(show)
  try:
    yield
  finally:
    _SHOW.reset(token)


class Progress:
  """Bar on a terminal, a plain line now and then elsewhere."""

  def __init__(self, name: str, total: int, start: int = 0):
    """Starts at `start` of `total` steps."""
    self._name, self._total = name, total
    self._last = time.time()  # When a line was printed last.
    # Step and time of the first report; by then all is compiled.
    self._first: tuple[int, float] | None = None
    show = _SHOW.get()
    self._bar, self._silent = None, show is False
    wanted = sys.stderr.isatty() if show is None else show
    if wanted and parallel.is_first():
      import tqdm  # An exported scorer works without it.

      self._bar = tqdm.tqdm(total=total, initial=start, desc=name, unit='step')

  def at(self, step: int, text: str) -> None:
    """Reports that `step` is reached."""
    if self._bar is not None:
      self._bar.set_postfix_str(text, refresh=False)
      self._bar.update(step - self._bar.n)
      return
    if self._silent:
      return
    now = time.time()
    if self._first is None:
      self._first = step, now
    if now - self._last < 10 and step < self._total:
      return
    self._last = now
    start, begun = self._first
    speed = ''
    if step > start:
      seconds = max(now - begun, 1e-9) / (step - start)
      left = _clock((self._total - step) * seconds)
      rate = f'{_short(1 / seconds)} per second'
      if seconds > 1:
        rate = f'{_short(seconds)} s each'
      speed = f'{rate}  {left} left  '
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
