"""A stream scores as a file does, sample after sample, in fixed memory."""

import math

import numpy as np
import pytest
from PIL import Image

from memae_jax.exported import stream
from memae_jax.runtime import errors
from tests import exports


def _all(opened, samples):
  """The scores of a stream by index, all of which must be without an error."""
  found = list(opened.over(samples))
  assert not any(one.error for one in found)
  assert [one.index for one in found] == sorted(one.index for one in found)
  return {one.index: one for one in found}


def _equal(found, want, indices=None):
  assert list(found) == list(range(len(want)) if indices is None else indices)
  scores = [one.score for one in found.values()]
  np.testing.assert_allclose(scores, want, rtol=1e-6, atol=0)


def test_rows_score_as_their_file(scored_run, scorer_of):
  """Text as in a file, numbers, encoded rows."""
  _, found = scorer_of('table')
  path = scored_run('table')[2].parent / 'table.csv'
  lines = [line.split(',') for line in path.read_text().splitlines()]
  rows = [dict(zip(lines[0], cells)) for cells in lines[1:40]]
  want, flags = found.score(path)[:39], found.flag(path)[:39]
  as_text = _all(found.stream(), rows)
  _equal(as_text, want)
  assert [one.flagged for one in as_text.values()] == flags.tolist()
  assert {one.delay for one in as_text.values()} == {0}
  typed = [
    row | {'size': float(row['size']), 'weight': float(row['weight'])}
    for row in rows
  ]
  _equal(_all(found.stream(), typed), want)
  _, encoded = found.read(path)
  _equal(_all(found.stream(), encoded[:39]), want)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'kind': 'c'}, 'the stream row 2: column "kind" has no category "c"'),
    ({'weight': 'heavy'}, 'the stream row 2: column "weight" holds text'),
    ({'weight': None}, 'the stream row 2: column "weight" has no value'),
    ({'weight': math.inf}, 'the stream row 2: column "weight" is infinite'),
    ({'weight': [1]}, 'column "weight" holds a list'),
    ({'weight': 10**400}, 'column "weight" holds a int'),
    ({'size': -1}, '^row 2: input "size" is negative'),
    (None, 'the stream has no column "kind"'),
    (np.zeros(3), r'samples have shape \[1, 3\]'),
  ],
)
def test_a_broken_row_ends_nothing(scorer_of, change, message):
  _, found = scorer_of('table')
  good = {'size': '3.5', 'weight': '1.2', 'kind': 'a'}
  bad = good | change if isinstance(change, dict) else change
  bad = {'size': 1.0, 'weight': 1.0} if bad is None else bad
  opened = found.stream()
  first, second = opened.push(good) + opened.push(good)
  exports.refused(message, opened.push, bad)
  (broken,) = opened.take(bad)
  assert broken.index == 2 and math.isnan(broken.score) and not broken.flagged
  assert '\n' not in broken.error
  (third,) = opened.push(good)
  assert (first.index, second.index, third.index) == (0, 1, 3)
  assert first.score == second.score == third.score


def test_a_key_stands_beside_a_row(scorer_of, monkeypatch):
  _, found = scorer_of('table')
  monkeypatch.setitem(found.meta['input'], 'key_column', 'part')
  opened = found.stream()
  row = {'size': '3.5', 'weight': '1.2', 'kind': 'a', 'part': 'P-1'}
  (one,) = opened.push(row)
  assert one.name == 'P-1'
  (one,) = opened.push({**row, 'part': 7})
  assert one.name == '7'


@pytest.mark.slow
def test_random_numbers_are_those_of_the_place_in_a_file(scorer_of, scored_run):
  """A variational autoencoder draws others at each place."""
  exp, _, _ = scored_run('dense')
  index = [r.variant for r in exp.replicas].index('vae')
  _, found = scorer_of('dense', index)
  x = exp.source.inputs[:20]
  want = found.score(x)
  found_ = _all(found.stream(), x)
  _equal(found_, want)
  opened = found.stream()
  opened.push(x[0])
  assert not opened.end()
  _equal(_all(opened, x[:3]), want[:3])


def test_pictures_of_files_and_pixels(scorer_of, scored_run, tmp_path):
  exp, _, _ = scored_run('dense')
  _, found = scorer_of('dense')
  x = exp.source.inputs[:6]
  paths = [tmp_path / f'{i}.png' for i in range(len(x))]
  for path, image in zip(paths, x):
    Image.fromarray(image[..., 0]).save(path)
  want = found.score(x)
  by_file = _all(found.stream(), paths)
  _equal(by_file, want)
  assert [one.name for one in by_file.values()] == [str(p) for p in paths]
  _equal(_all(found.stream(), x[..., 0]), want)
  _equal(_all(found.stream(), np.repeat(x, 3, axis=-1)), want)
  Image.fromarray(np.zeros((9, 8), np.uint8)).save(paths[0])
  (tmp_path / '1.png').write_bytes(b'no picture')
  opened = found.stream()
  for bad, message in (
    (paths[0], '0.png is 8x9, but the network takes 8x8'),
    (paths[1], '1.png is no picture'),
    (tmp_path / 'nowhere.png', 'nowhere.png'),
    (np.zeros((9, 8), np.uint8), 'the picture is 8x9'),
    (np.zeros((8, 8), np.float32), 'a frame is float32'),
    (np.zeros((8, 8, 4), np.uint8), r'of shape \[8, 8, 4\]'),
  ):
    exports.refused(message, opened.push, bad)


def test_a_score_that_is_no_number_is_an_error(scorer_of):
  _, found = scorer_of('dense')
  meta = found.meta
  opened = stream.Stream(meta, lambda x: x, lambda x, number: math.inf, 1.0)
  (one,) = opened.push(np.zeros((8, 8), np.uint8))
  assert one.error == 'its score is inf'


def _folder(folder, frames):
  folder.mkdir()
  paths = [folder / f'{i}.png' for i in range(len(frames))]
  for path, frame in zip(paths, frames):
    Image.fromarray(frame[..., 0]).save(path)
  return paths


@pytest.mark.slow
def test_clips_score_as_their_video(scorer_of, scored_run, tmp_path):
  """A ring of 16 frames; the score of the one in the middle comes 7 later."""
  exp, _, _ = scored_run('clips')
  _, found = scorer_of('clips')
  # Another size, so that frames are resized as those of a folder are.
  frames = exp.source.inputs.frames[:24].repeat(2, axis=1).repeat(2, axis=2)
  paths = _folder(tmp_path / 'walk', frames)
  want, numbers = found.score(paths[0].parent), found.read(paths[0].parent)[0]
  opened = found.stream()
  scored = _all(opened, paths)
  _equal(scored, want, numbers)
  assert opened.delay == 15 - numbers[0]
  assert {one.delay for one in scored.values()} == {opened.delay}
  assert scored[numbers[2]].name == str(paths[numbers[2]])
  _equal(_all(opened, frames), want, numbers)  # Another video, of pixels.
  broken = [*frames[:18], errors.UserError('lost'), *frames[:17]]
  found_ = list(opened.over(broken))
  lost = [one for one in found_ if one.error]
  assert [(one.index, one.error) for one in lost] == [(18, 'lost')]
  good = {one.index: one for one in found_ if not one.error}
  at = [*numbers[:3], *(19 + n for n in numbers[:2])]
  _equal(good, [*want[:3], *want[:2]], at)
  exports.refused(
    'is 3x2, but those before are 4x2',
    lambda: [opened.push(np.zeros((2, n), np.uint8)) for n in (4, 3)],
  )


@pytest.mark.slow
@pytest.mark.parametrize('length', [1, 3, 40])
def test_motion_is_that_of_the_video(scorer_of, scored_run, tmp_path, length):
  exp, _, _ = scored_run('motion')
  _, found = scorer_of('motion')
  numbers = exp.source.inputs.number[:length]
  frames = exp.source.pictures[numbers]
  paths = _folder(tmp_path / 'walk', frames)
  want = found.score(paths[0].parent)
  opened = found.stream()
  assert opened.delay == 4
  scored = _all(opened, frames)
  _equal(scored, want)
  waited = [one.delay for one in scored.values()]
  assert max(waited[4:], default=0) <= opened.delay
  if length < 40:
    return
  assert waited[2:] == [4] * 34 + [3, 2, 1, 0]
  broken = [*frames, tmp_path / 'nowhere.png', *frames[:3]]
  found_ = [one for one in opened.over(broken) if not one.error]
  _equal({one.index: one for one in found_[:40]}, want)
  assert [one.index for one in found_[40:]] == [41, 42, 43]
