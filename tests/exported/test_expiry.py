"""Until when exports can be read."""

import datetime

import jax
import pytest

from memae_jax.exported import expiry


@pytest.mark.parametrize(
  ('version', 'day'),
  [
    ('0.10.2', '2026-12-17'),
    ('0.11.0', '2027-01-16'),
    ('0.12.0.1', '2027-04-21'),
    ('0.12.0.2', '2027-04-21'),  # Not listed: the day of one before it.
    ('0.12.0rc1', '2027-03-17'),  # Before 0.12.0.
    ('0.11.9.dev20260901+abc', '2027-03-17'),
    ('0.100.0', '2027-04-21'),
    ('0.10.1', None),
  ],
)
def test_six_months_after_the_release(version, day):
  found = expiry.readable_until(version)
  assert found == (day and datetime.date.fromisoformat(day))


@pytest.mark.parametrize(
  ('released', 'day'),
  [('2026-08-31', '2027-02-28'), ('2027-01-31', '2027-07-28')],
)
def test_ends_of_months(monkeypatch, released, day):
  monkeypatch.setattr(expiry, 'RELEASED', {'1.0': released})
  found = expiry.readable_until('1.0')
  assert found == datetime.date.fromisoformat(day)


def test_the_jax_in_use_is_known():
  assert expiry.readable_until(jax.__version__)
