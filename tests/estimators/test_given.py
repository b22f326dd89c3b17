import numpy as np
import pandas
import PIL.Image
import pytest
import scipy.sparse

from memae_jax.estimators import given
from memae_jax.runtime import errors

GREY = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
COLOUR = np.arange(2 * 4 * 3 * 3, dtype=np.uint8).reshape(2, 4, 3, 3)


@pytest.mark.parametrize('pixels', [GREY, COLOUR])
@pytest.mark.parametrize('kind', [list, tuple])
def test_lists_of_pictures_are_arrays(pixels, kind):
  pictures = kind(PIL.Image.fromarray(x) for x in pixels)
  np.testing.assert_array_equal(given.stacked(pictures), pixels)
  np.testing.assert_array_equal(given.stacked(kind(pixels)), pixels)
  assert given.stacked(pixels) is pixels
  assert given.is_images(given.stacked(pictures))
  assert not given.is_images(given.stacked([[1.0, 2.0]]))


@pytest.mark.parametrize(
  'samples, words',
  [
    (None, 'X is NoneType; give an array'),
    ('pictures', "X is 'pictures'; .* memae_jax.train"),
    (5, 'X is int; give'),
    ({}, 'X is dict; give'),
    ([], 'X is empty'),
    ([[1, 2], [3]], 'the 2 samples of X have several lengths'),
    ([['a', 'b']], 'array of text'),
    (
      pandas.DataFrame([[1, 2], [3, 4]], columns=['a', 'a']),
      'X has column "a" 2 times; give it once',
    ),
    (scipy.sparse.csr_matrix((2, 2)), 'sparse .* X.toarray'),
    (PIL.Image.fromarray(GREY[0]), 'is one picture; give a list'),
    ([GREY[0], GREY[1, :2]], r'X\[1\] has shape \(2, 3\), but X\[0\]'),
    ([GREY[0], GREY[1] * 1.0], r'X\[1\] is float64, but X\[0\] is uint8'),
    ([PIL.Image.new('RGBA', (3, 4))], r'mode RGBA; .* .convert\("RGB"\)'),
    ([PIL.Image.new('L', (3, 4)), GREY[0]], r'X\[1\] is ndarray; convert'),
    (
      [PIL.Image.new('L', (3, 4)), PIL.Image.new('RGB', (3, 4))],
      r'X\[1\] is a picture of mode RGB, but X\[0\] of L',
    ),
  ],
)
def test_what_is_no_samples_is_one_line(samples, words):
  with pytest.raises(errors.UserError, match=words) as caught:
    given.stacked(samples)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  'samples, wanted, words',
  [
    (GREY[0], (4, 3, 1), r'X is one picture, .* X\[None\]'),
    (COLOUR[0], (4, 3, 3), r'X is one picture, .* X\[None\]'),
    (np.zeros((2, 12)), (4, 3, 1), r'pictures .* an array \[n, 4, 3, 1\]'),
    (GREY, (12,), r'table of 12 columns; give an array \[n, 12\]'),
  ],
)
def test_another_kind_than_that_of_fit(samples, wanted, words):
  with pytest.raises(errors.UserError, match=words):
    given.check_dimensions(samples, wanted)


def test_kinds_that_fit():
  given.check_dimensions(GREY, (4, 3, 1))
  given.check_dimensions(COLOUR, (4, 3, 3))
  given.check_dimensions(np.zeros((2, 5)), (5,))
  given.check_rows(np.zeros((2, 5)))
  with pytest.raises(errors.UserError, match='Reshape your data'):
    given.check_rows(np.zeros(5))


def test_missing_and_infinite_numbers_have_their_places():
  table = np.zeros((5, 2))
  given.check_finite(table, None, 'error')
  table[3:, 1] = np.nan
  with pytest.raises(errors.UserError, match='NaN in column 1, row 3 .2 of 5'):
    given.check_finite(table, None, 'error')
  with pytest.raises(errors.UserError, match='NaN in "b".*"data.missing"'):
    given.check_finite(table, ['a', 'b'], 'error')
  given.check_finite(table, None, 'median')
  table[0, 0] = -np.inf
  with pytest.raises(errors.UserError, match='infinity in column 0, row 0'):
    given.check_finite(table, None, 'median')
  images = np.zeros((2, 3, 3, 1))
  images[1, 2, 0, 0] = np.nan
  with pytest.raises(errors.UserError, match=r'at 2, 0, 0, row 1') as caught:
    given.check_finite(images, None, 'median')
  assert 'median' not in str(caught.value)


def test_samples_that_trained_do_not_calibrate():
  given.check_new(GREY[1:], GREY[:1])
  with pytest.raises(errors.UserError, match='1 of 2 samples of X, .* row 1,'):
    given.check_new(GREY, GREY[1:].astype(np.float32))


def test_samples_that_are_all_equal_teach_nothing():
  given.check_varies(GREY)
  with pytest.raises(errors.UserError, match='all 20 samples'):
    given.check_varies(np.ones((20, 3)))
  almost = np.ones((20, 3))
  almost[19, 2] = 2
  given.check_varies(almost)
