"""Errors that a person reads: one line that names the thing and the mend."""

import difflib
from collections.abc import Iterable

from memae_jax.runtime import host


class UserError(Exception):
  """Something outside the code is wrong; the message says what to change.

  `main` prints it as one line and exits with `exit_code`.
  """

  exit_code = 2


class TrainingDiverged(UserError):
  """A loss or gradient stopped being finite."""

  exit_code = 3


class Preempted(UserError):
  """Training was asked to stop (SIGTERM) and has saved its state."""

  exit_code = host.PREEMPTED


def did_you_mean(name: str, known: Iterable[str]) -> str:
  """Returns ' (did you mean "x"?)', or the known names, as a suffix."""
  known = sorted(str(k) for k in known)
  close = difflib.get_close_matches(str(name), known, n=1)
  if close:
    return f' (did you mean "{close[0]}"?)'
  return f' (known: {", ".join(known)})'
