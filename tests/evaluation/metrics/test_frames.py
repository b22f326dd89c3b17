import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.runtime import errors

# Up to 4 videos of up to 6 frames with few distinct scores: ties are the rule.
VIDEOS = st.lists(
  st.lists(st.tuples(st.integers(-2, 2), st.booleans()), max_size=6),
  min_size=1,
  max_size=4,
)


def make(videos, first=0, lengths=None):
  """Frame scores from a list of (score, anomalous) for each video."""
  flat = [
    (s, y, v, i) for v, f in enumerate(videos) for i, (s, y) in enumerate(f)
  ]
  score, anomalous, video, frame = np.array(flat, float).reshape(-1, 4).T
  return frames_lib.FrameScores(
    score,
    anomalous.astype(bool),
    video.astype(int),
    frame.astype(int) + first,
    [f'v{i}' for i in range(len(videos))],
    lengths or [len(v) + first for v in videos],
  )


def _auroc(anomalous, score):
  gaps = score[anomalous][:, None] - score[~anomalous][None, :]
  return ((gaps > 0) + (gaps == 0) / 2).mean()


@given(VIDEOS)
@settings(deadline=None, max_examples=80)
def test_metrics_match_brute_force(videos):
  frames = make(videos)
  metrics, reasons = frames_lib.evaluate(frames)
  assert list(metrics) == list(frames_lib.METRICS)
  assert {k for k, v in metrics.items() if v is None} == set(reasons)
  per_video = []
  normalised = []
  for video in videos:
    score = np.array([s for s, _ in video], float)
    anomalous = np.array([y for _, y in video], bool)
    if anomalous.any() and not anomalous.all():
      per_video.append(_auroc(anomalous, score))
    span = np.ptp(score) if len(video) else 0
    normalised += list((score - score.min()) / span if span else 0 * score)
  normalised = np.array(normalised)
  anomalous = frames.anomalous
  if per_video:
    assert metrics['auroc_macro'] == pytest.approx(np.mean(per_video))
  else:
    assert reasons['auroc_macro'].startswith('no video has both')
  if anomalous.any() and not anomalous.all():
    assert metrics['auroc'] == pytest.approx(_auroc(anomalous, frames.score))
    assert metrics['auroc_normalised'] == pytest.approx(
      _auroc(anomalous, normalised)
    )
    assert metrics['average_precision_normalised'] == pytest.approx(
      sklearn.metrics.average_precision_score(anomalous, normalised)
    )


@given(VIDEOS, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_order_of_frames_does_not_matter(videos, random):
  frames = make(videos)
  order = list(range(len(frames.score)))
  random.shuffle(order)
  order = np.array(order, int)
  mixed = frames._replace(
    **{k: getattr(frames, k)[order] for k in frames._fields[:4]}
  )
  a, b = frames_lib.evaluate(frames)[0], frames_lib.evaluate(mixed)[0]
  for name in frames_lib.METRICS:
    assert a[name] == pytest.approx(b[name]), name
  assert frames_lib.videos(frames) == frames_lib.videos(mixed)


def test_normalising_can_make_and_break_a_result():
  # Each video is ranked well, but they differ in brightness.
  good = make([[(1, 0), (2, 1)], [(11, 0), (12, 1)]])
  metrics, _ = frames_lib.evaluate(good)
  assert metrics['auroc'] == pytest.approx(0.75)
  assert metrics['auroc_normalised'] == metrics['auroc_macro'] == 1
  assert metrics['eer_normalised'] == 0 and metrics['base_rate'] == 0.5
  # A video without an anomaly gets its 1 all the same.
  quiet = make([[(1, 0), (9, 1)], [(1, 0), (2, 0)]])
  metrics, _ = frames_lib.evaluate(quiet)
  assert metrics['auroc'] == 1 and metrics['auroc_normalised'] < 1


def test_videos_say_what_was_scored_and_why_not():
  frames = make(
    [[(1, 0), (2, 1), (3, 0)], [(4, 1), (4, 1)], [(5, 0)], []],
    first=8,
    lengths=[18, 10, 9, 7],
  )
  rows = frames_lib.videos(frames)
  assert [row['dropped'] for row in rows] == [
    [[0, 7], [11, 17]],
    [[0, 7]],
    [[0, 7]],
    [[0, 6]],
  ]
  assert [row['auroc'] for row in rows] == [0.5, None, None, None]
  assert [row['constant'] for row in rows] == [False, True, True, False]
  assert frames_lib.summary(rows) == {
    'videos': 4,
    'frames': 44,
    'scored_frames': 6,
    'dropped_frames': 38,
    'macro_videos': 1,
    'undefined_videos': {
      'v1': 'every scored frame is anomalous',
      'v2': 'every scored frame is normal',
      'v3': 'no frame has a score',
    },
    'constant_videos': ['v1', 'v2'],
  }
  assert frames_lib.spans(np.array([0, 2, 3, 4, 9])) == [[0, 0], [2, 4], [9, 9]]


def test_constant_video_becomes_normal():
  score, video = np.array([7.0, 7, 1, 3, 2]), np.array([0, 0, 1, 1, 1])
  assert frames_lib.normalise(score, video).tolist() == [0, 0, 0, 1, 0.5]


def test_nothing_scored_is_undefined_with_a_reason():
  metrics, reasons = frames_lib.evaluate(make([[], []], lengths=[5, 6]))
  assert set(metrics.values()) == {None} and set(reasons) == set(metrics)
  assert reasons['auroc_normalised'] == 'the test set is empty'


@given(
  st.lists(st.integers(0, 12), min_size=1, max_size=3),
  st.integers(1, 5),
  st.integers(1, 3),
)
@settings(deadline=None, max_examples=40)
def test_averaged_clips_are_means_over_the_clips(lengths, size, stride):
  starts = [
    (v, i)
    for v, length in enumerate(lengths)
    for i in range(0, length - size + 1, stride)
  ]
  if not starts:
    return
  begun = np.cumsum([0, *lengths])
  number = np.array([begun[v] + i + np.arange(size) for v, i in starts])
  error = np.random.default_rng(0).random((len(starts), size))
  score = frames_lib.average_clips(error, number)
  assert score.shape == (len(starts),)
  for row, averaged in zip(number, score):
    assert averaged == pytest.approx(error[number == row[size // 2]].mean())


@pytest.mark.parametrize(
  'change,words',
  [
    ({'score': [1, np.nan, 3]}, 'score: 1 of 3 .* index 1'),
    ({'video': [0, 0]}, r'3 frames, but video has shape \(2,\)'),
    ({'video': [0, 0, 2]}, 'video has values outside 0 to 1'),
    ({'frame': [0, 2, 0]}, 'video "v0" has 2 frames, but its frame 2'),
    ({'frame': [1, 1, 0]}, 'frame 1 of video "v0" has several scores'),
    ({'lengths': [2]}, '2 names of videos, but 1 lengths'),
  ],
)
def test_bad_input_is_one_clear_line(change, words):
  frames = make([[(1, 0), (2, 1)], [(3, 1)]])._replace(**change)
  with pytest.raises(errors.UserError, match=words) as caught:
    frames_lib.evaluate(frames)
  assert '\n' not in str(caught.value)


def test_clip_of_16_leaves_the_known_frames_of_ped2():
  lengths = [180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180]
  videos = [[(0.0, False)] * (n - 15) for n in lengths]
  summary = frames_lib.summary(
    frames_lib.videos(make(videos, first=8, lengths=lengths))
  )
  assert (summary['frames'], summary['scored_frames']) == (2010, 1830)
