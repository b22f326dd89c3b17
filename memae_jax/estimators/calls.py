"""Calls from Python: errors are ValueErrors, and settings of JAX stay."""

import contextlib
import contextvars
import logging
import numbers
from collections.abc import Iterator

from absl import flags

from memae_jax.runtime import errors, jax_settings, progress_bar

_INSIDE = contextvars.ContextVar('inside', default=False)


def _is_wanted(record: logging.LogRecord) -> bool:
  """Returns False for warnings of Orbax on folders that a call only reads."""
  return record.levelno >= logging.ERROR or not _INSIDE.get()


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
  """Leaves out warnings of libraries within a block, in this thread."""
  logging.getLogger('absl').addFilter(_is_wanted)  # Once: it is the same one.
  token = _INSIDE.set(True)
  try:
    yield
  finally:
    _INSIDE.reset(token)


@contextlib.contextmanager
def guarded(verbose: int = 0) -> Iterator[None]:
  """Holds what calls from Python need within a block, in this thread.

  Args:
    verbose: 0: no progress bars; 1: bars, also in a notebook.

  Raises:
    ValueError: `verbose` is no such number.
  """
  if not isinstance(verbose, numbers.Integral):  # As bool is.
    raise errors.InputError(
      f'verbose is {verbose!r}; use 0 (silent) or 1 (a progress bar)'
    )
  if not flags.FLAGS.is_parsed():  # Grain reads its flags when it is used.
    flags.FLAGS.mark_as_parsed()
  with (
    errors.as_value_errors(),
    _quiet_libraries(),
    jax_settings.fixed(),
    progress_bar.shown(verbose > 0),
  ):
    yield
