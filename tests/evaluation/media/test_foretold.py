"""Files and facts of pictures that stand alone."""

import io

import numpy as np
import PIL.Image
import pytest

from memae_jax.evaluation.media import foretold
from memae_jax.evaluation.scoring import scores
from memae_jax.methods.alone import statements


def alone(count=3, channels=1, size=(12, 10)):
  """Pictures of which the second has the largest error, at (4, 5)."""
  rng = np.random.default_rng(0)
  z = rng.random((count, *size)) * 3
  z[1 % count, 4, 5] = 9
  picture = rng.random((count, *size, channels)) * 2 - 1
  says = {
    'picture': picture,
    'mean': picture / 2,
    'sigma': np.full((count, *size), 0.1),
    'z': z,
    'hidden': (z > 8).astype(float),
    'rows': np.linspace(1, 0, size[0])[None].repeat(count, 0),
    'columns': np.linspace(1, 0, size[1])[None].repeat(count, 0),
    'r2': np.array([0.9, 0.1, np.nan])[:count],
    'z2': np.ones(count),
    'log_likelihood': np.zeros(count),
    'block': np.full(count, 5),
    'size': np.array([size] * count),
  }
  titles = [f'{name}.png' for name in 'abc'[:count]]
  says = statements.Statements(**says)
  return scores.Foretold('nkn/seed=0', titles, says, (-1.0, 1.0))


def test_facts_name_the_loudest_pixel_and_weak_pictures_are_told():
  lines = foretold.facts(alone())
  assert lines[1]['loudest'] == [4, 5] and lines[1]['max_z'] == 9
  assert lines[1]['filled_in'] == 1 and lines[2]['r2'] is None
  masks = np.zeros((3, 12, 10), bool)
  masks[0, 0, 0] = masks[1, 6, 6] = True  # That of the second is near.
  known = foretold.facts(alone(), masks)
  hits = [line['hit'] for line in known]
  assert hits[1:] == [True, None] and {line['hit'] for line in lines} == {None}
  assert (
    known[1]['elsewhere'] < 9 and known[2]['elsewhere'] == lines[2]['max_z']
  )
  assert {line['elsewhere'] for line in lines} == {None}
  assert alone().loudest(1) == [1]
  first, *others = foretold.in_words(lines)
  assert first == (
    'b.png: largest error 9.0 deviations, at row 4, column 5; R^2 0.10'
  )
  assert len(others) == 2
  blank, warning = foretold.warnings({'nkn/seed=0': lines})
  assert blank.startswith('1 of 3 pictures have one colour, but for blocks')
  assert 'such as c.png' in blank
  assert warning.startswith('1 of 3 pictures do not foretell themselves')
  assert 'b.png (0.10)' in warning
  assert not foretold.warnings({'nkn/seed=0': lines[:1]})


@pytest.mark.parametrize('channels', [1, 3])
def test_pictures_and_films_are_written(tmp_path, channels):
  found = alone(channels=channels)
  foretold.write(tmp_path / 'foretold', [found], 2)
  names = sorted(path.name for path in (tmp_path / 'foretold').iterdir())
  assert len(names) == 6 and names[3] == '000001_b.gif'
  shown = np.asarray(
    PIL.Image.open(tmp_path / 'foretold' / '000001_b_foretold.png')
  )
  wanted = (found.says.mean[1] + 1) / 2 * 255
  assert np.abs(shown.reshape(wanted.shape) - wanted).max() <= 0.5
  film = PIL.Image.open(io.BytesIO(foretold.film(found, 0)))
  assert film.n_frames == 3 * 2  # Blocks of 5 in 12 x 10 pixels.


def test_arrays_have_the_names_of_their_replicas():
  found = foretold.arrays([alone()])
  names = 'mean', 'sigma', 'size', 'z'
  assert sorted(found) == [f'nkn/seed=0/{n}' for n in names]


def test_a_smaller_picture_is_shown_at_its_own_size():
  found = alone()
  size = np.array([[12, 10], [7, 6], [12, 10]])
  found = found._replace(says=found.says._replace(size=size))
  shown = PIL.Image.open(
    io.BytesIO(foretold.pictures_of(found, 1)['deviation'])
  )
  assert shown.size == (6, 7)
  film = PIL.Image.open(io.BytesIO(foretold.film(found, 1)))
  assert film.n_frames == 2 * 2
  line = foretold.facts(found)[1]
  assert line['size'] == [7, 6] and line['loudest'] == [4, 5]
  z = foretold.arrays([found])['nkn/seed=0/z']
  assert np.isfinite(z[1, :7, :6]).all() and np.isnan(z[1, 7:]).all()
  assert np.isfinite(z[0]).all()
