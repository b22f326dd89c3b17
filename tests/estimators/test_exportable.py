"""What a saved estimator says is what its scorer says."""

import numpy as np
import pytest

import memae_jax
from memae_jax import export, scorer


@pytest.mark.slow
def test_what_it_flags_is_exported(small, table, tmp_path, capsys):
  """By a share of contamination, and by other normals, whose scores go, too."""
  pytest.importorskip('onnxruntime')
  new = np.random.default_rng(3).normal(size=(30, 4)) * [1, 10, 0.1, 1]
  new += [0, 100, 0, -5]
  found = small(contamination=0.2).fit(table).calibrate(new)
  found.save(tmp_path / 'run')
  for _ in range(2):
    export.to_file(tmp_path / 'run', tmp_path / 'one.scorer')
    export.to_onnx(tmp_path / 'run', tmp_path / 'one.onnx')
    loaded = scorer.load(tmp_path / 'one.scorer')
    assert np.isclose(loaded.threshold, -found.offset_)
    assert '20% of the samples of fit()' in loaded.meta['threshold_rule']
    np.testing.assert_array_equal(loaded.flag(table), found.predict(table) < 0)
    np.testing.assert_allclose(loaded.p_value(table), found.p_value(table))
    (tmp_path / 'run' / 'samples.npz').unlink(missing_ok=True)
  out = capsys.readouterr().out
  assert 'validation normals' in out and 'random samples' in out


@pytest.mark.slow
def test_without_samples_it_is_exported_all_the_same(tmp_path):
  """Released weights come without them, and folders move."""
  pytest.importorskip('onnxruntime')
  found = memae_jax.load('digits/3')
  found.save(tmp_path / 'run')
  images = np.random.default_rng(0).integers(0, 256, (9, 8, 8), np.uint8)
  wanted = found.anomaly_score(images)
  export.to_file(tmp_path / 'run', tmp_path / 'one.scorer')
  export.to_onnx(tmp_path / 'run', tmp_path / 'one.onnx')
  loaded = scorer.load(tmp_path / 'one.scorer')
  np.testing.assert_allclose(loaded.score(images), wanted, rtol=1e-5)
  assert np.isclose(loaded.threshold, -found.offset_)
