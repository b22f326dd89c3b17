import json

import numpy as np
import pandas as pd
import pytest

import memae_jax
from memae_jax import export, scorer
from memae_jax.runtime import metrics_log


@pytest.fixture(scope='module')
def saved(detector, tmp_path_factory):
  path = tmp_path_factory.mktemp('saved') / 'run'
  detector.save(path)
  return path


@pytest.mark.slow
def test_loaded_it_is_the_same(saved, detector, table):
  again = memae_jax.Detector.load(saved)
  assert type(again) is memae_jax.MemAE
  assert again.get_params() == detector.get_params()
  assert again.offset_ == detector.offset_
  assert again.history_ == detector.history_
  one, other = again.explain(table), detector.explain(table)
  for part, same in zip(one, other, strict=True):
    np.testing.assert_array_equal(part, same)
  log = metrics_log.read_events(saved / 'metrics.jsonl')
  assert [e['step'] for e in log][-1] == detector.fitted_.step


@pytest.mark.slow
def test_commands_read_the_folder(saved, detector, table, tmp_path):
  """It is exported as a run is, and scores the same."""
  export.to_file(saved, tmp_path / 'one.scorer')
  loaded = scorer.load(tmp_path / 'one.scorer')
  np.testing.assert_allclose(
    loaded.score(table), detector.anomaly_score(table), rtol=1e-5
  )
  assert np.isclose(loaded.threshold, -detector.offset_)
  run = memae_jax.MemAE.from_run(saved)
  np.testing.assert_array_equal(
    run.anomaly_score(table), detector.anomaly_score(table)
  )


@pytest.mark.slow
def test_frames_keep_their_names(small, table, tmp_path):
  frame = pd.DataFrame(table, columns=['a', 'b "x"', 'c, d', 'e'])
  found = small().fit(frame)
  found.save(tmp_path / 'run')
  again = memae_jax.MemAE.load(tmp_path / 'run')
  np.testing.assert_array_equal(again.predict(frame), found.predict(frame))
  run = memae_jax.MemAE.from_run(tmp_path / 'run')
  np.testing.assert_array_equal(
    run.anomaly_score(table), found.anomaly_score(frame)
  )


@pytest.mark.slow
def test_folders_that_are_refused(saved, detector, tmp_path):
  detector.save(saved)  # As a cell of a notebook that runs again.
  (saved / 'report.html').write_text('')
  with pytest.raises(ValueError, match='did not write "report.html"'):
    detector.save(saved)
  (saved / 'report.html').unlink()
  with pytest.raises(ValueError, match='is a file'):
    detector.save(saved / 'config.json')
  with pytest.raises(ValueError, match='give a folder that save'):
    memae_jax.MemAE.load(tmp_path)
  with pytest.raises(ValueError, match='use MemAE'):
    memae_jax.VAE.load(saved)
  facts = saved / 'estimator.json'
  text = facts.read_text()
  facts.write_text(json.dumps({'offset': 1}))
  with pytest.raises(ValueError, match='estimator.json'):
    memae_jax.MemAE.load(saved)
  facts.write_text(text)
