"""Pickles of plain data are read; nothing that they name is called."""

import pickle

import pytest

from memae_jax.data.prepare.builders import pickles


@pytest.mark.parametrize(
  'content',
  [
    b'cnumpy\nload\n(S"x"\ntR.',
    b'cnumpy\nndarray.tofile\n.',
    b'\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.',
    b'cbuiltins\ngetattr\n.',
    b'ccopyreg\n_reconstructor\n.',
    b'Pperson\n.',
  ],
)
def test_nothing_else_is_looked_up(content):
  with pytest.raises(ValueError, match='asks for|persistent'):
    pickles.load(content)


def test_inert_arrays_are_checked():
  state = lambda *parts: (
    b'cnumpy\nndarray\n)R' + pickle.dumps(parts, 0)[:-1] + b'b.'
  )
  for parts in (
    (),
    (1, (2,), None, False, b'ab'),
    (1, (10**15,), None, False, b'ab'),
  ):
    with pytest.raises(ValueError):
      pickles.byte_array(pickles.load(state(*parts)))
