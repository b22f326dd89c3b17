"""Runs that are torn, changed or of another version: one line, never more."""

import io
import json
import random
import shutil
import zipfile

import numpy as np
import pytest

from memae_jax.comparison import (
  differences,
  finished_run,
  page,
)
from memae_jax.runtime import errors, strict_json
from memae_jax.studies import runs
from tests import finished, mutants


def _compared(*folders):
  """Returns what a comparison writes, but for pictures; None if refused."""
  try:
    comparison = differences.compare([str(folder) for folder in folders], 3)
    return (
      strict_json.text(comparison),
      page.as_csv(comparison),
      page.text(comparison),
    )
  except errors.UserError as error:
    assert str(folders[-1]) in str(error) and '\n' not in str(error)
    return None


@pytest.mark.parametrize('run', ['a', 'video'])
def test_mutants_of_results(made, tmp_path, run):
  shutil.copytree(made / run, tmp_path / 'run')
  path, rng = tmp_path / 'run/results.json', random.Random(1)
  whole = path.read_bytes()
  assert _compared(made / 'b', tmp_path / 'run')
  refused = 0
  for number in range(mutants.COUNT // 2):
    if number % 2:
      data = mutants.of_bytes(whole, rng)
    else:
      data = json.dumps(mutants.of_value(json.loads(whole), rng)).encode()
    path.write_bytes(data)
    refused += _compared(made / 'b', tmp_path / 'run') is None
  assert mutants.COUNT // 8 < refused < mutants.COUNT // 2


@pytest.mark.parametrize('run', ['a', 'video'])
def test_mutants_of_scores(made, tmp_path, run):
  shutil.copytree(made / run, tmp_path / 'run')
  path, rng = tmp_path / 'run/eval/7/scores.npz', random.Random(2)
  whole = path.read_bytes()
  same = _compared(made / 'b', tmp_path / 'run')
  for _ in range(mutants.COUNT // 2):
    path.write_bytes(mutants.of_bytes(whole, rng))
    written = _compared(made / 'b', tmp_path / 'run')
    assert written is None or written == same  # Checksums see every change.


def _npz(path, **arrays):
  """Rewrites some arrays of a run's scores."""
  with np.load(path) as there:
    arrays = dict(there) | arrays
  np.savez_compressed(path, **arrays)


@pytest.mark.parametrize(
  'array,words',
  [
    (np.arange(24.0)[:, None], 'float64 of shape'),
    (np.arange(23.0), 'different lengths'),
    (np.full(24, np.nan), 'not finite'),
    (np.arange(24), 'int64 of shape'),
    (np.array(['a'] * 24), 'of shape'),
    (np.array([None] * 24), 'allow_pickle'),
  ],
)
def test_arrays_of_another_kind(made, tmp_path, array, words):
  shutil.copytree(made / 'a', tmp_path / 'run')
  _npz(
    tmp_path / 'run/eval/7/scores.npz', **{'memae/slots=9/seed=0/score': array}
  )
  with pytest.raises(errors.UserError, match=f'scores.npz .*{words}'):
    finished_run.read(tmp_path / 'run')


def test_scores_that_unpack_to_more_than_there_is(made, tmp_path):
  shutil.copytree(made / 'a', tmp_path / 'run')
  path = tmp_path / 'run/eval/7/scores.npz'
  header = io.BytesIO()
  np.lib.format.write_array_header_1_0(
    header, {'descr': '<f4', 'fortran_order': False, 'shape': (2**40,)}
  )
  with np.load(path) as there:
    arrays = dict(there)
  del arrays['memae/slots=9/seed=0/score']
  np.savez_compressed(path, **arrays)
  with zipfile.ZipFile(path, 'a') as archive:
    archive.writestr('memae/slots=9/seed=0/score.npy', header.getvalue())
  with pytest.raises(errors.UserError, match='scores.npz is no readable'):
    finished_run.read(tmp_path / 'run')


@pytest.mark.parametrize(
  'text,words',
  [
    ('', 'Expecting value'),
    ('[]', 'not an object'),
    ('"run"', 'not an object'),
    ('{}', 'is missing'),
    ('{"checkpoint": {"step": 7}}', 'config is missing'),
    ('\0' * 4096, 'Expecting value'),
  ],
)
def test_what_is_no_results_file(made, tmp_path, text, words):
  """Comparison, study and history name the file and say what to do."""
  shutil.copytree(made / 'a', tmp_path / 'run')
  (tmp_path / 'run/results.json').write_text(text)
  with pytest.raises(errors.UserError, match=f'results.json .*{words}.*eval'):
    differences.compare([str(tmp_path / 'run')], 0)
  with pytest.raises(errors.UserError, match=f'results.json .*{words}.*remove'):
    runs.results(tmp_path / 'run')


def test_results_of_other_versions(made, tmp_path):
  shutil.copytree(made / 'a', tmp_path / 'run')
  path = tmp_path / 'run/results.json'
  results = json.loads(path.read_text())
  newer = results | {'more': {'of': 'it'}}
  newer['methods']['memae']['new_metric'] = {'mean': 0.5, 'more': 1}
  newer['paper'] = {'metrics': ['new_metric', 'auroc']}
  path.write_text(json.dumps(newer))
  comparison = differences.compare([str(tmp_path / 'run')], 0)
  assert comparison['metrics'][0] == 'auroc'
  del results['replicas'][1]['reasons']
  path.write_text(json.dumps(results))
  with pytest.raises(errors.UserError, match='replicas.1.reasons is missing'):
    differences.compare([str(tmp_path / 'run')], 0)


def test_the_frames_of_a_run_are_found_again(tmp_path):
  """Of clips that are stored in another order than their frames have."""
  finished.write(tmp_path / 'video', is_video=True)
  scores = next(tmp_path.glob('video/eval/*/scores.npz'))
  order = np.random.default_rng(0).permutation(24)
  name = 'memae/slots=9/seed=1'
  with np.load(scores) as arrays:
    changed = {
      f'{name}/{part}': arrays[f'{name}/{part}'][order]
      for part in ('score', 'anomalous', 'sample')
    }
  changed[f'{name}/sample'] += 100
  _npz(scores, **changed)
  replica = finished_run.read(tmp_path / 'video').replicas[1]
  frames = finished.replica('memae', 1, is_video=True).frames
  for part in ('score', 'anomalous', 'video', 'frame', 'names', 'lengths'):
    np.testing.assert_array_equal(
      getattr(replica.frames, part), getattr(frames, part)
    )
  summary = finished_run.summary([replica], 50)['auroc_normalised']
  assert summary['of'] == 'videos' and summary['n'] == 1
  assert summary['ci95'][0] <= summary['ci95'][1]
  blind = replica._replace(frames=None)  # Frames are no samples.
  assert finished_run.summary([blind], 50)['auroc']['ci95'] is None
  _npz(scores, **{f'{name}/anomalous': ~changed[f'{name}/anomalous']})
  assert finished_run.read(tmp_path / 'video').replicas[1].frames is None


def test_images_have_no_frames(made):
  assert [r.frames for r in finished_run.read(made / 'a').replicas] == [
    None
  ] * 4


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
    text = (made / 'b/results.json').read_text()
    (run / 'results.json').write_text(text)
  if what in ('torn scores', 'flipped'):
    shutil.copytree(made / 'b', run, dirs_exist_ok=True)
    (scores,) = run.glob('eval/*/scores.npz')
    data = bytearray(scores.read_bytes())
    if what == 'flipped':  # In the middle: what holds the names stays whole.
      data[1000:2000] = bytes(b ^ 0xFF for b in data[1000:2000])
    else:
      data = data[:500]
    scores.write_bytes(data)
  with pytest.raises(errors.UserError, match=str(run)) as caught:
    differences.compare([str(made / 'b'), str(run)], 10)
  assert len(str(caught.value).splitlines()) == 1
