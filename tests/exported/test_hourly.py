"""Alarms per hour of exported scorers: those of the run, and refusals."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from memae_jax import scorer
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.metrics import hourly as hourly_of_runs
from memae_jax.evaluation.scoring import hourly_limits
from memae_jax.exported import hourly, stream
from memae_jax.runtime import errors
from tests import exports, helpers

_RATE = 4.0  # Frames per second.


def _frames(score, lengths, rates=None):
  rates = rates or [_RATE] * len(lengths)
  return helpers.frame_scores(score, lengths, rates, dtype=np.float32)


def _normals(seed=0):
  rng = np.random.default_rng(seed)
  return _frames(rng.integers(0, 40, 500), [200, 300])


def _meta(found, kind='clips'):
  return {'input': {'kind': kind}, 'hourly': found}


@pytest.mark.parametrize('gap', [0.0, 0.6, 2.0])
@pytest.mark.parametrize('per_hour', [29, 100, 700, 1e5])
def test_thresholds_are_those_of_the_run(gap, per_hour):
  """Also after JSON, and of another rate than the run was set to."""
  normal = _normals()
  stored = hourly_limits.of_normals(normal, 300.0, gap)
  meta = json.loads(json.dumps(_meta(stored)))
  hourly.check(meta)
  checked = frames_lib.checked(normal)
  want = hourly_of_runs.threshold(checked, per_hour, gap)
  assert hourly.limit(meta, per_hour)[0] == want
  configured = hourly_of_runs.threshold(checked, 300.0, gap)
  assert stored['threshold'] == configured == hourly.limit(meta, 300.0)[0]


@pytest.mark.parametrize('gap', [0.0, 0.25, 0.6, 2.0])
@pytest.mark.parametrize('seed', range(4))
def test_alarms_are_those_of_the_run_and_keep_their_gap(gap, seed):
  rng = np.random.default_rng(seed)
  frame = np.flatnonzero(rng.random(150) < 0.9)  # Some have no score.
  score = rng.random(len(frame))
  tested = frames_lib.FrameScores(
    score, score > 2, 0 * frame, frame, ['v'], [150], [_RATE]
  )
  frames = hourly_limits.of_normals(_normals(), 0.0, gap)['gap_frames']
  for limit in (0.5, 0.8, 0.95):
    flagged = score > limit
    begun = hourly.first_frames(flagged, frame, frames)
    want = [a.first for a in hourly_of_runs.alarms(flagged, tested, gap)]
    assert frame[begun].tolist() == want
    seen = frame[flagged]
    for first in want[1:]:
      assert first - seen[seen < first].max() - 1 >= gap * _RATE


def test_a_stream_says_where_alarms_begin(scorer_of):
  """A broken frame ends no alarm; another video has alarms of its own."""
  _, found = scorer_of('dense')
  score = [0, 9, 9, 0, 0, 9, 0, 0, 0, 9]
  opened = stream.Stream(
    found.meta, lambda x: x, lambda x, number: float(score[number]), 1.0, 3
  )
  image = np.zeros((8, 8), np.uint8)
  for _ in range(2):
    scored = list(opened.over([image] * len(score)))
    assert [one.index for one in scored if one.alarm] == [1, 9]
  broken = [image, image, errors.UserError('lost'), image]
  assert [one.alarm for one in opened.over(broken)] == [False, True] + [
    False
  ] * 2
  without = stream.Stream(found.meta, lambda x: x, lambda x, n: 9.0, 1.0)
  assert not any(one.alarm for one in without.over([image] * 3))


@pytest.mark.parametrize(
  ('meta', 'rate', 'message'),
  [
    (_meta({}, 'images'), 60, 'the scorer is of images; use false_alarm'),
    (_meta({}, 'table'), 60, 'the scorer is of a table'),
    ({'input': {'kind': 'clips'}}, 60, 'earlier version .* the run again'),
    (_meta(hourly_limits.of_normals(_frames([1, 2], [2]), 0.0, 1.0)), 60,
     'allow no rate below 7.2e.03 alarms per hour; 60 needs 0.017 hours'),
    (_meta(hourly_limits.of_normals(_frames([1], [1], [None]), 0.0, 1.0)), 60,
     'frames per second .* set eval.frame_rate, and export the run again'),
    (_meta(hourly_limits.of_normals(
      _frames([1, 2], [1, 1], [10.0, 25.0]), 0.0, 1.0)), 60,
     'several frame rates, so that 1 seconds are 10 to 25 frames'),
    (_meta({}), 0, 'alarms_per_hour is 0; give a number above 0'),
    (_meta({}), np.nan, 'alarms_per_hour is nan'),
  ],
)  # fmt: skip
def test_what_is_refused(meta, rate, message):
  exports.refused(message, hourly.limit, meta, rate)


@pytest.mark.parametrize(
  'change',
  [
    {'limits': []},
    {'limits': [1.0, 2.0]},
    {'limits': [True]},
    {'limits': [float('nan')]},
    {'gap_frames': 1.5},
    {'gap_frames': -1},
    {'hours': 'many'},
    {'frame_rate': None},
    {'threshold': 'high'},
    {'not_guaranteed': 'a\nb'},
    {'refusal': ['why']},
  ],
)
def test_what_is_no_entry_is_refused(change):
  stored = hourly_limits.of_normals(_normals(), 300.0, 1.0)
  hourly.check(_meta(stored))
  bad = change if 'refusal' in change else stored | change
  for found in (bad, [bad]):
    with pytest.raises(ValueError, match='is no alarms per hour'):
      hourly.check(_meta(found))


@pytest.mark.slow
def test_a_scorer_of_videos(
  scored_run, scorer_of, tmp_path, capsys, monkeypatch
):
  """File, folder and stream raise the alarms of the run's own numbers."""
  exp, stored, _ = scored_run('motion')
  path, found = scorer_of('motion')
  own = stored[exp.replicas[0].name]
  options = exp.config.eval
  rate, gap = options.alarms_per_hour, options.alarm_gap
  normal = frames_lib.checked(own.normal_frames)
  limit = hourly_of_runs.threshold(normal, rate, gap)
  entry = found.meta['hourly']
  assert entry['threshold'] == limit and entry['alarms_per_hour'] == rate
  assert (entry['gap_frames'], entry['frame_rate']) == (4, 10)
  assert 'no promise' in entry['not_guaranteed']
  tested = frames_lib.checked(own.frames)
  flagged = tested.score > limit
  alarms = hourly_of_runs.alarms(flagged, tested, gap)
  video = alarms[0].video
  name, inside = tested.names[video], tested.video == video
  number = exp.source.videos.names.index(name)
  starts = np.cumsum([0, *exp.source.videos.lengths])
  pictures = exp.source.pictures[starts[number] : starts[number + 1]]
  folder = tmp_path / 'walk'
  folder.mkdir()
  files = [folder / f'{i:03}.png' for i in range(len(pictures))]
  for file, picture in zip(files, pictures):
    Image.fromarray(picture[..., 0]).save(file)
  want = [a.first for a in alarms if a.video == video]
  capsys.readouterr()  # What the export said.
  assert scorer.main([str(path), str(folder), f'--alarms_per_hour={rate}']) == 0
  header, *lines = capsys.readouterr().out.splitlines()
  assert header == 'frame,score,alarm,flagged'
  cells = [line.split(',') for line in lines]
  assert [int(c[0]) for c in cells if c[2] == '1'] == want
  assert [c[3] == '1' for c in cells] == flagged[inside].tolist()
  words = [
    str(path),
    str(folder),
    f'--alarms_per_hour={rate}',
    f'--to={folder}.csv',
  ]
  assert scorer.main(words) == 0
  out = capsys.readouterr().out
  assert out.startswith(f'{len(want)} alarms, {flagged[inside].sum()} of ')
  lines = ''.join(f'{file}\n' for file in files).encode()
  monkeypatch.setattr('sys.stdin', io.TextIOWrapper(io.BytesIO(lines)))
  assert scorer.main([str(path), '--stream', f'--alarms_per_hour={rate}']) == 0
  rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
  assert [row['frame'] for row in rows if row['alarm']] == want
  exports.refused('not both', found.stream, False, 0.1, rate)
  clip = tmp_path / 'clip.npy'
  np.save(clip, exp.source.inputs[:2])
  assert scorer.main([str(path), str(clip), f'--alarms_per_hour={rate}']) == 2
  assert 'not an array' in capsys.readouterr().err
