import csv
import json

import numpy as np
import pytest
from PIL import Image

from memae_jax.data import moving_shapes
from tests import helpers

SHAPES = (
  f'--config={helpers.ROOT}/configs/moving_shapes.py:smoke,variant=memae+ae'
)


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A run on generated videos after one step."""
  workdir = tmp_path_factory.mktemp('films') / 'run'
  code, _, err = helpers.run(
    SHAPES,
    f'--workdir={workdir}',
    '--config.train.epochs=0.01',
    '--config.data.max_samples=0',
    '--config.data.clip_stride=30',
    '--config.data.image_size=16',
    '--config.eval.baselines=()',
    '--config.eval.films=("test_02",)',
  )
  assert code == 0, err
  return workdir


def test_a_film_of_the_test_video_that_was_asked_for(run):
  av = pytest.importorskip('av', reason='PyAV reads the film')
  films = list((run / 'eval' / '1' / 'films').iterdir())
  assert [film.name for film in films] == ['test_02.mp4']
  with av.open(str(films[0])) as film:
    assert film.streams.video[0].codec_context.name == 'h264'
    assert sum(1 for _ in film.decode(video=0)) == 80 - 15


def test_results_name_videos_and_rules(run):
  results = json.loads((run / 'results.json').read_text())
  assert results['videos']['scored_frames'] == 6 * 65
  assert results['videos']['dropped_frames'] == 6 * 15
  assert set(results['rules']) == {'memae', 'ae'}
  rules = results['rules']['memae']
  metrics = results['variants']['memae']
  assert rules['mse']['auroc'] == metrics['auroc']
  assert {'rbdc', 'tbdc', 'auroc_macro', 'eer_normalised'} <= set(metrics)
  assert len(results['replicas'][0]['videos']) == 6
  assert results['score']['frame'].endswith('frame 8, from 0')
  page = (run / 'report.html').read_text()
  assert 'What if the score were another?' in page and 'test_05' in page


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """The second test video as a folder of frames, without zeros in front."""
  place = tmp_path_factory.mktemp('new') / 'walk'
  place.mkdir()
  frames, _ = moving_shapes.video(moving_shapes.TRAIN + 1, 16, 16, True)
  for i, frame in enumerate(frames):
    Image.fromarray(frame[..., 0]).save(place / f'{i + 1}.png')
  return place


def test_a_new_video_gets_the_scores_that_it_has_as_a_test_video(run, folder):
  before = (run / 'results.json').read_bytes()
  code, out, err = helpers.run(
    '--mode=eval', f'--workdir={run}', f'--config.eval.video={folder}'
  )
  assert code == 0, err
  found = run / 'eval' / '1' / 'videos' / 'walk'
  assert str(found) in out
  with (found / 'scores.csv').open() as file:
    rows = list(csv.DictReader(file))
  assert [int(row['frame']) for row in rows] == list(range(8, 73))
  stored = np.load(run / 'eval' / '1' / 'scores.npz')
  for name in ('memae', 'ae'):
    np.testing.assert_allclose(
      [float(row[name]) for row in rows],
      stored[f'{name}/score'][65:130],
      rtol=1e-4,
    )
  facts = json.loads((found / 'results.json').read_text())
  assert facts['scored_frames'] == 65 and facts['frames'] == 80
  assert set(facts['flagged_frames']) == {'memae', 'ae'}
  assert {'film.mp4', 'scores.png'} <= {file.name for file in found.iterdir()}
  assert (run / 'results.json').read_bytes() == before


@pytest.mark.parametrize(
  'name,words',
  [
    ('nowhere.mp4', 'nowhere.mp4 is no video'),
    ('text.avi', 'cannot be read as a video'),
    ('short', 'has 9 frames, but a clip takes 16'),
    ('empty', 'is no video'),
  ],
)
def test_what_is_no_video(run, folder, tmp_path, name, words):
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'text.avi').write_text('no film')
  (tmp_path / 'short').mkdir()
  for i in range(9):
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(
      tmp_path / 'short' / f'{i}.png'
    )
  before = sorted(run.rglob('*'))
  code, _, err = helpers.run(
    '--mode=eval', f'--workdir={run}', f'--config.eval.video={tmp_path / name}'
  )
  lines = [line for line in err.splitlines() if line.startswith('error')]
  assert code == 2 and len(lines) == 1 and words in lines[0]
  assert sorted(run.rglob('*')) == before


def test_a_film_of_no_test_video(run):
  code, _, err = helpers.run(
    '--mode=eval', f'--workdir={run}', '--config.eval.films=("test_2",)'
  )
  assert code == 2 and 'did you mean "test_02"' in err


def test_a_video_is_not_trained_on(tmp_path):
  code, _, err = helpers.run(
    SHAPES, f'--workdir={tmp_path / "run"}', '--config.eval.video=film.mp4'
  )
  assert code == 2 and '--mode=eval' in err
