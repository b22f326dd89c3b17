"""Numbers as people read them."""

import pytest

from memae_jax.evaluation.report import wording


@pytest.mark.parametrize(
  'value,text',
  [
    (0, '0.0%'),
    (1, '100.0%'),
    (0.5, '50.0%'),
    (0.1234, '12.3%'),
    (0.0003, '0.030%'),
    (0.99996, '99.9960%'),
    (1e-7, '0.000010%'),
  ],
)
def test_a_share_is_none_or_all_only_where_it_is(value, text):
  assert wording.share(value) == text


@pytest.mark.parametrize(
  'value,text',
  [(0.12345, '0.123'), (-0.0001, '0.000'), (999.9999, '1000.000'),
   (-35460.2, '−35,460'), (1e15, '1.00e+15'), (None, '—')],
)  # fmt: skip
def test_numbers_of_any_size(value, text):
  assert wording.number(value) == text


@pytest.mark.parametrize(
  'value,text', [(0.00024681, '0.0002468'), (2, '2'), (None, '—')]
)
def test_numbers_whose_size_is_not_known(value, text):
  assert wording.number(value, None) == text
