"""Errors for people: one line that names the thing and the mend."""

import contextlib
import difflib
from collections.abc import Iterable, Iterator

from memae_jax.runtime import host


class UserError(Exception):
  """Error outside the code; the message says what to change.

  `main` prints it as one line and exits with `exit_code`.
  """

  exit_code = 2


class InputError(UserError, ValueError):
  """Error of `UserError` where Python calls: a ValueError with the same line.

  `UserError` itself is none, as much code here catches the ValueErrors of
  libraries to make a line of them.
  """


@contextlib.contextmanager
def as_value_errors() -> Iterator[None]:
  """Turns a `UserError` that leaves the block into an `InputError`."""
  try:
    yield
  except InputError:
    raise
  except UserError as error:
    raise InputError(str(error)) from error


class TrainingDiverged(UserError):
  """A loss or a gradient is no longer finite."""

  exit_code = 3


class Preempted(UserError):
  """Training was asked to stop (SIGTERM) and has saved its state."""

  exit_code = host.PREEMPTED


def did_you_mean(name: str, known: Iterable[str]) -> str:
  """Returns a suffix of a message on an unknown name.

  It is ' (did you mean "x"?)' where one of `known` is close to the name, and
  ' (known: x, y)' otherwise.
  """
  known = sorted(str(k) for k in known)
  close = difflib.get_close_matches(str(name), known, n=1)
  if close:
    return f' (did you mean "{close[0]}"?)'
  return f' (known: {", ".join(known)})'
