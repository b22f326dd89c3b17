"""Reads pickles of plain data and byte arrays, without trusting them.

Nothing that a pickle names is ever called. Objects of numpy become inert
records of their parts, since numpy's own loaders trust their input, too.
Anything else is refused.
"""

import io
import pickle
import reprlib
from collections.abc import Callable
from typing import Any

import numpy as np

_NUMPY = frozenset(
  (
    ('numpy.core.multiarray', '_reconstruct'),  # numpy 1.
    ('numpy._core.multiarray', '_reconstruct'),
    ('numpy', 'ndarray'),
    ('numpy', 'dtype'),
  )
)


class _Inert:
  """Record of the parts that a pickle makes an object of numpy from."""

  state: tuple[Any, ...] = ()

  def __init__(self, *args):
    self.args = args

  def __setstate__(self, state):
    self.state = state

  def __reduce__(self):  # For the way back from a child process, see `child`.
    return _Inert, self.args, self.state


class _Restricted(pickle.Unpickler):
  """Unpickler that knows no class but `_Inert`."""

  def find_class(self, module: str, name: str) -> Callable[..., Any]:
    if (module, name) in _NUMPY:
      return _Inert
    raise pickle.UnpicklingError(
      f'it asks for {module}.{name}, which plain data do not need'
    )


def load(content: bytes) -> Any:
  """Returns the pickled object, with text of Python 2 as bytes.

  Args:
    content: the pickle.

  Raises:
    ValueError: the pickle is damaged, or names more than plain data.
  """
  try:
    return _Restricted(io.BytesIO(content), encoding='bytes').load()
  except Exception as error:  # A damaged pickle raises nearly anything.
    reason = ' '.join(str(error).split())[:200]
    raise ValueError(reason or type(error).__name__) from error


def byte_array(record: Any) -> np.ndarray:
  """Returns the uint8 array that an inert record describes.

  Args:
    record: an object from `load`.

  Raises:
    ValueError: the object is not an array of bytes.
  """
  try:
    _, shape, dtype, is_fortran, content = record.state
    kind = dtype.args[0]
  except (AttributeError, IndexError, TypeError, ValueError) as error:
    raise ValueError(f'is not an array but {type(record).__name__}') from error
  if kind not in ('u1', b'u1') or not isinstance(content, bytes):
    raise ValueError(f'is an array of type {reprlib.repr(kind)}, not of bytes')
  try:
    return np.frombuffer(content, np.uint8).reshape(
      shape, order='F' if is_fortran else 'C'
    )
  except (TypeError, ValueError) as error:
    raise ValueError(
      f'has {len(content):,} values for shape {reprlib.repr(shape)}'
    ) from error
