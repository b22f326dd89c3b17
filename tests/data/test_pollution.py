"""Anomalies among the training samples: how many, which, and what is said."""

import numpy as np
import pytest

from memae_jax.data import pollution, protocols
from memae_jax.runtime import errors


def _splits(source, data_config, seed=0, normal_class=0, **fields):
  """Returns a split without and one with pollution."""
  clean, dirty = (
    protocols.split(
      source,
      data_config(scaling='minmax', unknown_category='zero', **each),
      seed,
      normal_class,
    )
    for each in ({**fields, 'pollution': 0.0}, fields)
  )
  return clean, dirty


def _images(make_source, rows=600, classes=5):
  source = make_source(rows, classes)
  shape = rows, 4, 4, 1
  inputs = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
  return source._replace(inputs=inputs, columns=())


@pytest.mark.parametrize('kind', ['mixed', 'one_class'])
@pytest.mark.parametrize('images', [False, True])
@pytest.mark.parametrize('share', [0.1, 0.3])
def test_anomalies_join_in_the_stated_share(
  make_source, data_config, kind, images, share
):
  source = _images(make_source) if images else make_source(600, 5)
  classes = set()
  for seed in range(8):
    clean, dirty = _splits(
      source, data_config, seed, pollution=share, pollution_kind=kind
    )
    np.testing.assert_array_equal(clean.test, dirty.test)
    np.testing.assert_array_equal(clean.anomalous, dirty.anomalous)
    added, counts = set(), {}
    for name in 'train', 'validation':
      before, after = (set(getattr(s, name).tolist()) for s in (clean, dirty))
      assert before <= after
      assert (np.diff(getattr(dirty, name)) > 0).all()
      new = after - before
      counts[name] = len(new)
      assert len(new) == round(share / (1 - share) * len(before))
      assert not added & new
      added |= new
    assert not added & set(dirty.test.tolist())
    found = set(source.labels[sorted(added)].tolist())
    assert 0 not in found
    assert (len(found) == 1) == (kind == 'one_class')
    names = [source.label_names[i] for i in sorted(found)]
    assert dirty.notes['training_anomaly_classes'] == names
    assert dirty.notes['training_anomalies'] == counts['train']
    assert dirty.notes['validation_anomalies'] == counts['validation']
    classes |= found
  assert len(classes) > 1  # The seed draws.


def test_it_is_said_once_for_all_splits(make_source, data_config):
  lines = set()
  for seed in range(3):
    clean, dirty = _splits(
      make_source(300, 5), data_config, seed, pollution=0.1
    )
    assert not any('data.pollution' in line for line in clean.warnings)
    assert 'training_anomalies' not in clean.notes
    lines |= {line for line in dirty.warnings if 'data.pollution' in line}
  (line,) = lines
  assert line.startswith('10% of the training and validation samples')


def test_official_sets_take_anomalies_that_are_not_tested(
  make_source, data_config
):
  source = make_source(300, 3, is_test=np.arange(300) >= 200)
  _, dirty = _splits(source, data_config, protocol='official', pollution=0.1)
  rows = np.concatenate([dirty.train, dirty.validation])
  assert not source.is_test[rows].any()
  assert (source.labels[rows] != 0).sum() == 7 + 1


@pytest.mark.parametrize(
  ('replace', 'fields', 'words'),
  [
    (
      {},
      {'pollution': 0.5},
      'pollution 0.5 needs 50 anomalies that are not tested, but data set'
      ' "made" has 20; lower it, or data.anomaly_fraction',
    ),
    (
      {},
      {'pollution_kind': 'one_class', 'pollution': 0.25},
      'needs 16 anomalies of one class that are not tested, .* has 7; lower',
    ),
    ({'labelled': False}, {}, 'needs labels, but data set "made" has none'),
    ({'videos': 'some'}, {}, 'data set "made" is of videos; set it to 0'),
  ],
)
def test_what_makes_no_sense_is_refused(
  make_source, data_config, replace, fields, words
):
  source = make_source(180, 3)._replace(**replace)
  normal = np.arange(180) < 60
  parts = np.arange(40), np.arange(40, 50), np.arange(60, 160)  # 20 are left.
  with pytest.raises(errors.UserError, match=words):
    pollution.draw(
      source, data_config(**{'pollution': 0.1, **fields}), normal, parts, (0, 1)
    )
