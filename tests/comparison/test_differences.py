"""Several runs in one table, paired where they saw the same samples."""

import csv
import io
import json
import shutil

import numpy as np
import pytest

from memae_jax.comparison import differences, finished_run, page
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.metrics import intervals
from memae_jax.runtime import errors
from tests import helpers


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  """Two runs of digits that share one class."""
  folder = tmp_path_factory.mktemp('runs')
  changes = {
    'one': {'fleet.variants': ('memae', 'ae'), 'fleet.slots': (3, 5)},
    'two': {'fleet.normal_classes': (1, 2), 'train.learning_rate': 1e-2},
  }
  for name, fields in changes.items():
    config = helpers.digits(**fields, **{'eval.pseudo': False})
    path = helpers.write_config(folder / f'{name}.py', config)
    code, _, err = helpers.run(f'--config={path}', f'--workdir={folder / name}')
    assert code == 0, err
  return folder


def _entry(comparison, name):
  return next(row for row in comparison['entries'] if row['name'] == name)


@pytest.mark.slow
def test_settings_and_pairs(made):
  comparison = differences.compare([str(made / 'one'), str(made / 'two')], 40)
  assert [row['name'] for row in comparison['entries']] == [
    'one: MemAE, slots 3',
    'one: MemAE, slots 5',
    'one: AE',
    'two: MemAE',
  ]
  assert comparison['entries'][0]['difference'] is None
  assert [r['difference']['pairs'] for r in comparison['entries'][1:]] == [
    2,
    2,
    1,
  ]
  gap = _entry(comparison, 'one: AE')['difference']['metrics']['auroc']
  low, high = gap['ci95']
  assert low <= gap['mean'] <= high and gap['n_runs'] == 2
  (mean, other) = (
    row['metrics']['auroc']['mean']
    for row in (comparison['entries'][2], comparison['entries'][0])
  )
  assert gap['mean'] == pytest.approx(mean - other)
  assert comparison['config']['train.learning_rate'] == {
    'one': 1e-3,
    'two': 1e-2,
  }
  assert page.config_fields(comparison) == []
  f1 = _entry(comparison, 'one: AE')['difference']['metrics']['f1_at_ratio']
  assert f1['ci95'] is None and f1['ci95_runs'] is None and f1['n_runs'] == 2
  assert 'Two runs: no interval.' in page._page(comparison)


def test_another_reference(made):
  both = [str(made / 'one'), str(made / 'two')]
  for wanted in ('MemAE, slots 5', 'one: MemAE, slots 5', 'slots 5'):
    comparison = differences.compare(both, 0, wanted)
    assert comparison['reference'] == 'one: MemAE, slots 5'
  comparison = differences.compare(both[:1], 0, 'AE')  # Not MemAE.
  assert comparison['reference'] == 'AE'
  assert _entry(comparison, 'MemAE, slots 3')['difference']['pairs'] == 2
  for wanted, words in (('slots', 'fits 2 of'), ('vae', 'fits none of')):
    with pytest.raises(errors.UserError, match=words):
      differences.compare([str(made / 'one')], 0, wanted)


@pytest.mark.parametrize(
  'key,words',
  [('data_sha256', 'the data differ'), ('label_sha256', 'the data differ')],
)
def test_other_samples_are_not_paired(made, tmp_path, key, words):
  shutil.copytree(made / 'two', tmp_path / 'other')
  results = json.loads((made / 'two/results.json').read_text())
  results['dataset'][key] = 'another'
  (tmp_path / 'other/results.json').write_text(json.dumps(results))
  comparison = differences.compare(
    [str(made / 'two'), str(tmp_path / 'other')], 10
  )
  gap = comparison['entries'][1]['difference']
  assert gap['pairs'] == 0 and not gap['metrics']
  assert gap['reason'] == f'not the same samples: {words}'
  assert f'not the same samples: {words}' in page._page(comparison)


def _clips():
  """A replica of two videos, as a run stores it, in another order."""
  rng = np.random.default_rng(0)
  frames = frames_lib.FrameScores(
    score=rng.normal(size=18),
    anomalous=np.tile([False, True, False], 6),
    video=np.repeat([0, 1], [8, 10]),
    frame=np.concatenate([np.arange(2, 10), np.arange(2, 12)]),
    names=('a', 'b'),
    lengths=(12, 14),
  )
  entry = {'videos': frames_lib.videos(frames)}
  order = rng.permutation(18)
  return frames, entry, order


def test_the_frames_of_a_run_are_found_again():
  frames, entry, order = _clips()
  score, anomalous = frames.score[order], frames.anomalous[order]
  again = finished_run._frames(entry, score, anomalous, order + 100)
  for name in ('score', 'anomalous', 'video', 'frame', 'names', 'lengths'):
    np.testing.assert_array_equal(getattr(again, name), getattr(frames, name))
  assert finished_run._frames(entry, score, ~anomalous, order) is None
  assert finished_run._frames({'videos': []}, score, anomalous, order) is None
  replica = finished_run.Replica(
    {'variant': 'memae', 'seed': 0},
    frames_lib.evaluate(frames)[0],
    {},
    None,
    score,
    anomalous,
    order,
    score,
    again,
  )
  summary = finished_run.summary([replica], 50)['auroc_normalised']
  assert summary['of'] == 'videos' and summary['n'] == 1
  assert summary['ci95'][0] <= summary['ci95'][1]
  blind = replica._replace(frames=None)  # Frames are no samples.
  assert finished_run.summary([blind], 50)['auroc']['ci95'] is None


def test_files_and_text(made, tmp_path):
  comparison = differences.compare([str(made / 'two')], 10)
  written = page.write(comparison, tmp_path / 'out')
  assert '<h1>Comparison of 1 run</h1>' in written.read_text()
  assert 'src="http' not in written.read_text()
  assert json.loads((tmp_path / 'out/compare.json').read_text()) == json.loads(
    json.dumps(comparison)
  )
  (row,) = csv.DictReader(io.StringIO(page.as_csv(comparison)))
  assert (
    float(row['auroc']) == comparison['entries'][0]['metrics']['auroc']['mean']
  )
  assert row['auroc_difference'] == '' and float(row['training_seconds']) > 0
  assert 'MemAE  ' in page.text(comparison)


def test_draws_are_shared_by_networks_on_the_same_samples():
  rng = np.random.default_rng(0)
  score, anomalous = rng.normal(size=300), rng.random(300) < 0.3
  score = score + anomalous
  both = [
    intervals.resampled(s, anomalous, ('auroc',), 100, seed=3)[:, 0]
    for s in (score, score + 0.01 * rng.normal(size=300))
  ]
  assert np.std(both[0] - both[1]) < np.std(both[0]) / 5
  assert intervals.resampled(score, anomalous, ('auroc',), 0) is None


@pytest.mark.parametrize(
  'what', ['nothing', 'empty', 'torn', 'no scores', 'torn scores', 'flipped']
)
def test_what_is_no_finished_run_is_refused(made, tmp_path, what):
  run = tmp_path / 'run'
  if what != 'nothing':
    run.mkdir()
  if what == 'torn':
    (run / 'results.json').write_text('{"checkpoint"')
  if what == 'no scores':
    text = (made / 'two/results.json').read_text()
    (run / 'results.json').write_text(text)
  if what in ('torn scores', 'flipped'):
    shutil.copytree(made / 'two', run, dirs_exist_ok=True)
    (scores,) = run.glob('eval/*/scores.npz')
    data = bytearray(scores.read_bytes())
    if what == 'flipped':  # In the middle: what holds the names stays whole.
      data[1000:2000] = bytes(b ^ 0xFF for b in data[1000:2000])
    else:
      data = data[:500]
    scores.write_bytes(data)
  with pytest.raises(errors.UserError, match=str(run)) as caught:
    differences.compare([str(made / 'two'), str(run)], 10)
  assert len(str(caught.value).splitlines()) == 1


def test_one_clear_line():
  process = helpers.start('x', module='memae_jax.compare')
  _, err = process.communicate(timeout=100)
  assert process.returncode == 2 and 'x is no folder' in err
  assert len(err.splitlines()) == 1
