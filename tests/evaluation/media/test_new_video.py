"""Scores and films of videos that are given to a finished run."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import long_video
from tests import films, helpers

pytestmark = pytest.mark.slow
SHAPES = (
  f'--config={helpers.ROOT}/configs/moving_shapes.py:smoke,variant=memae+ae'
)


def test_a_new_video_gets_the_scores_that_it_has_as_a_test_video(run, folder):
  before = (run / 'results.json').read_bytes()
  code, out, err = helpers.run(
    '--mode=eval', f'--workdir={run}', f'--config.eval.video={folder}'
  )
  assert code == 0, err
  place = run / 'eval' / '1' / 'videos' / 'walk'
  assert str(place) in out
  with (place / 'scores.csv').open() as file:
    rows = list(csv.DictReader(file))
  assert [int(row['frame']) for row in rows] == list(range(8, 73))
  assert 'seconds' not in rows[0]  # Nobody says how fast it was filmed.
  stored = np.load(run / 'eval' / '1' / 'scores.npz')
  for name in ('memae', 'ae'):
    np.testing.assert_allclose(
      [float(row[name]) for row in rows],
      stored[f'{name}/score'][65:130],
      rtol=1e-4,
    )
  facts = json.loads((place / 'results.json').read_text())
  assert facts['scored_frames'] == 65 and facts['frames'] == 80
  assert set(facts['flagged_frames']) == {'memae', 'ae'}
  assert {'film.mp4', 'scores.png'} <= {file.name for file in place.iterdir()}
  assert (run / 'results.json').read_bytes() == before


@pytest.mark.parametrize(
  'name,words',
  [
    ('nowhere.mp4', 'nowhere.mp4 is not a video'),
    ('text.avi', 'text.avi is no readable video'),
    ('short', 'has 9 frames, but a clip takes 16'),
    ('empty', 'is not a video'),
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


def test_a_video_is_not_trained_on(tmp_path):
  code, _, err = helpers.run(
    SHAPES, f'--workdir={tmp_path / "run"}', '--config.eval.video=film.mp4'
  )
  assert code == 2 and '--mode=eval' in err


def _score(run, path, *flags):
  code, _, err = helpers.run(
    '--mode=eval', f'--workdir={run}', f'--config.eval.video={path}', *flags
  )
  assert code == 0, err
  place = run / 'eval' / '1' / 'videos' / path.stem
  with (place / 'scores.csv').open() as file:
    rows = list(csv.DictReader(file))
  facts = json.loads((place / 'results.json').read_text())
  return place, rows, facts, err


def test_a_film_plays_as_its_source_and_has_its_shape(run, tmp_path):
  rate = 1
  av = pytest.importorskip('av', reason='PyAV reads the film')
  path = tmp_path / 'slow.mp4'
  films.write(path, films.pixels(24, 32, 56), rate=rate)
  films.turn(path, (0, 1, -1, 0))
  place, rows, facts, err = _score(run, path)
  assert [float(row['seconds']) for row in rows] == [
    pytest.approx(frame / rate, abs=1e-4) for frame in range(8, 17)
  ]
  assert facts['frames_a_second'] == rate and facts['shape'] == [32, 56]
  assert facts['warnings'] == [] and f'24 frames, {rate} per second' in err
  with av.open(str(place / 'film.mp4')) as film:
    stream = film.streams.video[0]
    assert stream.average_rate == rate
    assert (stream.width, stream.height) == (480, 480 * 56 // 32 + 22 + 96)
    assert sum(1 for _ in film.decode(video=0)) == 9


def test_a_new_video_that_was_cut(run, tmp_path):
  path = films.write(tmp_path / 'cut.mkv', films.pixels(40), 'ffv1')
  content = path.read_bytes()
  path.write_bytes(content[: len(content) * 3 // 5])
  _, rows, facts, err = _score(run, path)
  line = next(line for line in err.splitlines() if 'warning' in line)
  read = len(rows) + 15
  words = f'cut.mkv ends early: the header says 40 frames (1.6 s), {read} were'
  assert words in line and words in facts['warnings'][0]
  assert err.index('warning') < err.index('scoring')


def test_motion_of_a_new_video_is_found(folder, tmp_path):
  """Its scores, smoothed too, are those that it has as a test video."""
  run = tmp_path / 'run'
  fields = {
    'data.clip_frames': 1,
    'data.motion': 'blocks',
    'data.input': 'speed',
    'data.max_samples': 0,
    'data.clip_stride': 20,
    'model.time_strides': '()',
    'train.epochs': 0.01,
    'eval.baselines': '()',
    'eval.score': 'largest_cells',
    'eval.smooth': 1.5,
  }
  flags = [f'--config.{name}={value}' for name, value in fields.items()]
  code, _, err = helpers.run(f'{SHAPES},size=16', f'--workdir={run}', *flags)
  assert code == 0, err
  place, rows, facts, _ = _score(run, folder)
  assert [int(row['frame']) for row in rows] == list(range(80))
  stored = np.load(run / 'eval' / '1' / 'scores.npz')['memae/score'][80:160]
  np.testing.assert_allclose(
    [float(row['memae']) for row in rows], stored, rtol=1e-4
  )
  assert facts['score']['look_ahead_frames'] == 2 + 2 + 6
  assert (place / 'film.mp4').exists()


@pytest.mark.thorough
def test_memory_does_not_grow_with_the_length(tmp_path):
  measured = long_video.measure(tmp_path, [500, 2500], 64)
  growth = measured[2500]['peak_mib'] - measured[500]['peak_mib']
  assert growth < 40, measured
