"""Banks explain by the training samples that their slots are."""

import numpy as np
import pandas
import pytest

from memae_jax.estimators import bank_reasons

_BANK = {'epochs': None, 'widths': None, 'code': None}


@pytest.fixture(scope='module')
def bank(small, table):
  """A bank of ten of the rows of a table with names; and these rows."""
  frame = pandas.DataFrame(table, columns=['a', 'b', 'c', 'd'])
  config = {'methods.bank.select': 'random'}
  return small('Bank', slots=10, config=config, **_BANK).fit(frame), frame


def test_a_bank_names_the_rows_that_are_its_slots(bank, table):
  found, frame = bank
  held = found.memory()
  assert held.slots.shape == held.decoded.shape == (10, 4)
  assert held.samples.shape == (10, 3)
  # Each slot is a row that trained, and this one is nearest to it.
  np.testing.assert_allclose(held.decoded, table[held.samples[:, 0]], rtol=1e-5)
  assert len(set(held.samples[:, 0])) == 10
  transform = found.fitted_.built()[0].splits[0].transform
  scaled = (table * transform.scale + transform.shift).clip(-5, 5)
  explained = found.explain(frame, slots=4)
  assert explained.columns == ['a', 'b', 'c', 'd']
  far = np.linalg.norm(
    scaled[:, None] - scaled[held.samples[:, 0]][None], axis=2
  )
  assert explained.slots.shape == (60, 4) and explained.weights is None
  named = np.take_along_axis(far, explained.slots, axis=1)
  np.testing.assert_allclose(
    named, np.sort(far, axis=1)[:, :4], rtol=1e-4, atol=1e-4
  )
  np.testing.assert_array_equal(
    explained.samples, held.samples[explained.slots]
  )
  np.testing.assert_array_equal(
    explained.reconstruction, held.decoded[explained.slots[:, 0]]
  )


def test_a_search_that_would_take_long_is_left_out(bank):
  assert bank_reasons.nearest_samples(bank[0].fitted_, most=1) is None


def test_errors_of_a_bank_are_columns(bank):
  found, frame = bank
  explained = found.explain(frame)
  np.testing.assert_allclose(
    explained.score, found.anomaly_score(frame), rtol=1e-6
  )
  np.testing.assert_allclose(
    explained.errors.mean(axis=1), explained.score, rtol=1e-4, atol=1e-6
  )
  far = frame.copy()
  far['c'] += 100.0
  assert (found.explain(far).errors.argmax(axis=1) == 2).all()
  few = found.explain(frame[:3], slots=99)
  assert few.slots.shape == (3, 10)


@pytest.mark.slow
def test_a_bank_is_explained_after_it_was_saved(bank, tmp_path):
  found, frame = bank
  found.save(tmp_path / 'run')
  again = type(found).load(tmp_path / 'run').explain(frame)
  for one, other in zip(again, found.explain(frame)):
    np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_bank_of_positions_has_a_map(small):
  images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
  options = {'features': 'patches', 'patch': 3, 'stride': 1, 'select': 'random'}
  config = {f'methods.bank.{name}': value for name, value in options.items()}
  found = small('Bank', slots=30, config=config, **_BANK).fit(images)
  explained = found.explain(images)
  assert explained.errors.shape == (20, 8, 8)
  assert explained.slots.shape == (20, 36, 3)  # Of 3 x 3 within 8 x 8.
  assert explained.samples.shape == (20, 36, 3, 3)
  assert explained.reconstruction is None
  # The positions of the sample that a slot is of have it as their nearest.
  held = found.memory()
  assert held.decoded is None
  for slot in range(30):
    assert slot in explained.slots[held.samples[slot, 0], :, 0]
