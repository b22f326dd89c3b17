import numpy as np
import pytest
import sklearn.metrics

from memae_jax.evaluation.metrics import pixels


def _case(seed=0, ties=False):
  """Maps and masks of 5 samples; the last two are normal."""
  rng = np.random.default_rng(seed)
  masks = np.zeros((5, 12, 9), bool)
  masks[0, 2:5, 3:6] = True
  masks[0, 8:, 7:] = True
  masks[1, 0, 0] = masks[1, 1, 1] = True  # They touch at a corner: one region.
  masks[2, :, 4] = True
  maps = rng.exponential(1, masks.shape) + masks * rng.random((5, 1, 1))
  if ties:
    maps = np.round(2 * maps)
  return maps.astype(np.float32), masks


def _regions(mask):
  """Connected sets of pixels by flooding, one by one."""
  left, regions = set(zip(*np.nonzero(mask))), []
  while left:
    region, edge = set(), [left.pop()]
    while edge:
      y, x = edge.pop()
      region.add((y, x))
      for near in [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
        if near in left:
          left.remove(near)
          edge.append(near)
    regions.append(region)
  return regions


def _slow_aupro(maps, masks, limit=0.3):
  regions = [(i, r) for i, mask in enumerate(masks) for r in _regions(mask)]
  points = [(0.0, 0.0)]
  for threshold in np.unique(maps)[::-1]:
    flagged = maps >= threshold
    shares = [np.mean([flagged[i, y, x] for y, x in r]) for i, r in regions]
    points.append((flagged[~masks].mean(), np.mean(shares)))
  area = 0.0
  for (x0, y0), (x1, y1) in zip(points, points[1:]):
    if x0 < limit:
      end = min(x1, limit)
      y = y1 if x1 == x0 else y0 + (y1 - y0) * (end - x0) / (x1 - x0)
      area += (end - x0) * (y0 + y) / 2
  return area / limit


@pytest.mark.parametrize('ties', [False, True])
def test_metrics_are_those_of_scikit_learn_and_of_brute_force(ties):
  maps, masks = _case(ties=ties)
  metrics, reasons = pixels.evaluate(maps, masks)
  assert not reasons and list(metrics) == list(pixels.METRICS)
  flat = masks.ravel(), maps.ravel()
  assert metrics['pixel_auroc'] == pytest.approx(
    sklearn.metrics.roc_auc_score(*flat)
  )
  assert metrics['pixel_average_precision'] == pytest.approx(
    sklearn.metrics.average_precision_score(*flat)
  )
  assert metrics['aupro'] == pytest.approx(_slow_aupro(maps, masks))
  assert metrics['pixel_base_rate'] == pytest.approx(masks.mean())


def test_perfect_and_useless_maps():
  _, masks = _case()
  best, _ = pixels.evaluate(masks.astype(np.float32), masks)
  assert [best[name] for name in pixels.METRICS[:3]] == [1, 1, 1]
  flat, _ = pixels.evaluate(np.ones(masks.shape, np.float32), masks)
  assert flat['pixel_auroc'] == 0.5
  assert flat['aupro'] == pytest.approx(0.15)


def test_light_of_normal_samples_counts_for_nothing_without_them():
  maps, masks = _case()
  shows = masks.any(axis=(1, 2))
  assert 0 < shows.sum() < len(masks)
  brighter = np.where(shows[:, None, None], maps, maps + 100)
  own, reasons = pixels.evaluate_anomalous(brighter, masks)
  flat = masks[shows].reshape(-1), maps[shows].reshape(-1)
  assert not reasons
  assert own['pixel_auroc_anomalous'] == pytest.approx(
    sklearn.metrics.roc_auc_score(*flat)
  )
  assert own['aupro_anomalous'] == pytest.approx(
    _slow_aupro(maps[shows], masks[shows])
  )
  assert pixels.evaluate(brighter, masks)[0]['pixel_auroc'] < 0.5
  none, reasons = pixels.evaluate_anomalous(maps, np.zeros_like(masks))
  assert set(none.values()) == {None} and set(reasons) == set(none)


def test_many_pixels_go_to_bins(monkeypatch):
  rng = np.random.default_rng(1)
  masks = np.zeros((6, 64, 64), bool)
  masks[:4, 20:30, 5:40] = True
  maps = (rng.exponential(1, masks.shape) + masks).astype(np.float32)
  exact, _ = pixels.evaluate(maps, masks)
  assert pixels.method(maps.size) == 'exact'
  monkeypatch.setattr(pixels, 'EXACT_PIXELS', 5000)
  assert '65,536 quantile bins' in pixels.method(maps.size)
  binned, _ = pixels.evaluate(maps, masks)
  for name, value in exact.items():
    assert binned[name] == pytest.approx(value, abs=2e-4), name


@pytest.mark.parametrize(
  'masks,reason',
  [
    (np.zeros((0, 4, 4), bool), 'no test sample has a mask'),
    (np.zeros((2, 4, 4), bool), 'every pixel of the 2 masks is normal'),
    (np.ones((2, 4, 4), bool), 'every pixel of the 2 masks is anomalous'),
  ],
)
def test_undefined_has_a_reason(masks, reason):
  metrics, reasons = pixels.evaluate(np.zeros(masks.shape, np.float32), masks)
  assert metrics['aupro'] is None and metrics['pixel_auroc'] is None
  assert set(reasons.values()) == {reason}
  assert set(reasons) == {k for k, v in metrics.items() if v is None}


def test_pixels_around_small_pictures_count_for_nothing():
  maps, masks = _case()
  covered = np.ones_like(masks)
  covered[0, 10:], covered[3, :, 5:] = False, False
  masks &= covered
  flat = masks[covered], maps[covered]
  found, _ = pixels.evaluate(maps, masks, covered)
  again, _ = pixels.evaluate(np.where(covered, maps, -7), masks, covered)
  assert found == pytest.approx(again)
  wanted = sklearn.metrics.roc_auc_score(*flat)
  assert found['pixel_auroc'] == pytest.approx(wanted)
  assert found['pixel_base_rate'] == pytest.approx(flat[0].mean())
  some, _ = pixels.evaluate_anomalous(maps, masks, covered)
  rows = masks.any(axis=(1, 2))[:, None, None] & covered
  wanted = sklearn.metrics.roc_auc_score(masks[rows], maps[rows])
  assert some['pixel_auroc_anomalous'] == pytest.approx(wanted)
