import fractions
import io

import numpy as np
import pytest
from PIL import Image

from memae_jax.data import types
from memae_jax.evaluation.media import layers as layers_lib
from memae_jax.evaluation.media import overlay
from memae_jax.evaluation.report.plots import style
from memae_jax.runtime import errors


def _film(count=6, height=31, width=44, channels=1):
  rng = np.random.default_rng(0)
  frames = rng.random((count, height, width, channels))
  maps = np.zeros(frames.shape[:3])
  maps[3:, 8:16, 8:16] = 1
  score = np.r_[np.nan, np.linspace(0, 1, count - 2), np.nan]
  return frames, maps, score, np.arange(count) >= 3


def _render(frames, maps, score, anomalous, **how):
  layers = layers_lib.Layers()
  for i in range(0, len(frames), 2):  # As they come, some at a time.
    layers.add(frames[i : i + 2], maps[i : i + 2])
  return overlay.render(layers, score, anomalous, **how)


def _red(picture):
  """Share of the pixels that are nearly vermilion."""
  colour = np.array([int(style.ANOMALOUS[i : i + 2], 16) for i in (1, 3, 5)])
  return (np.abs(picture.astype(int) - colour).sum(axis=-1) < 30).mean()


@pytest.mark.parametrize('channels', [1, 3])
def test_pictures_have_even_sizes_and_mark_the_anomalous(channels):
  pictures = list(_render(*_film(channels=channels)))
  assert len(pictures) == 6
  assert {p.dtype for p in pictures} == {np.dtype('u1')}
  assert len({p.shape for p in pictures}) == 1
  assert pictures[0].shape[0] % 2 == pictures[0].shape[1] % 2 == 0
  calm, alarm = (_red(p) for p in (pictures[2], pictures[3]))
  assert alarm > 3 * calm


def test_heat_is_where_the_error_is():
  frames, maps, score, anomalous = _film()
  frames[:] = 0.5
  picture = list(_render(frames, maps, score, anomalous))[4].astype(int)
  grey = lambda row, column: np.ptp(picture[row, column]) < 3
  step = 480 / 44
  assert not grey(int(12 * step), int(12 * step))
  assert grey(int(25 * step), int(30 * step))


def test_one_limit_makes_films_comparable():
  frames, maps, score, anomalous = _film()
  strong, weak = (
    list(_render(frames, m, score, anomalous, limit=1.0))[4]
    for m in (maps, maps / 100)
  )
  own = list(_render(frames, maps / 100, score, anomalous))[4]
  assert (strong == own).all() and (strong != weak).any()


def test_frames_are_named_by_their_place_in_the_video():
  plain, same, later = (
    list(_render(*_film(), number=number))[2]
    for number in (None, range(6), range(100, 106))
  )
  assert (plain == same).all() and (plain != later).any()


def test_gif_holds_every_frame(tmp_path):
  pictures = list(_render(*_film()))
  path = overlay.write(tmp_path / 'film.gif', pictures, rate=5)
  with Image.open(path) as film:
    assert film.n_frames == 6 and film.info['duration'] == 200
    assert film.size == pictures[0].shape[1::-1]


def test_mp4_holds_every_frame(tmp_path):
  av = pytest.importorskip('av')
  pictures = list(_render(*_film()))
  path = overlay.write(tmp_path / 'film.mp4', iter(pictures), rate=5)
  assert path.name == 'film.mp4'
  with av.open(io.BytesIO(path.read_bytes())) as film:
    stream = film.streams.video[0]
    assert (stream.codec_context.name, stream.average_rate) == ('h264', 5)
    decoded = [f.to_ndarray(format='rgb24') for f in film.decode(stream)]
  assert len(decoded) == 6
  distance = np.abs(np.array(decoded, int) - np.array(pictures, int))
  assert distance.mean() < 8


def test_without_an_encoder_it_is_a_gif(tmp_path, monkeypatch, caplog):
  monkeypatch.setattr(overlay, 'has_h264', lambda: False)
  path = overlay.write(tmp_path / 'film.mp4', _render(*_film()))
  assert path == tmp_path / 'film.gif' and path.exists()
  assert 'film.mp4 becomes a GIF' in caplog.text
  assert not (tmp_path / 'film.mp4').exists()


def test_nothing_is_left_of_a_film_that_fails(tmp_path):
  def broken():
    yield next(_render(*_film()))
    raise RuntimeError('no more')

  with pytest.raises(RuntimeError, match='no more'):
    overlay.write(tmp_path / 'film.gif', broken())
  assert not list(tmp_path.iterdir())


def test_bad_input_is_one_clear_line(tmp_path):
  frames, maps, score, anomalous = _film()
  with pytest.raises(errors.UserError, match='one of each for each frame'):
    _render(frames, maps, score[1:], anomalous)
  with pytest.raises(errors.UserError, match='one of each for each frame'):
    _render(frames, maps, score, anomalous, number=[1, 2])
  with pytest.raises(errors.UserError, match='no frame of the film'):
    _render(frames, maps, score * np.nan, anomalous)
  with pytest.raises(errors.UserError, match=r'ends in \.mp4 or \.gif'):
    overlay.write(tmp_path / 'film.avi', [])


@pytest.mark.parametrize(
  'shape,size',
  [
    (None, (480, 338)),
    ((1920, 1080), (480, 270)),
    ((720, 576), (480, 384)),
    ((1080, 1920), (480, 854)),
    ((100, 1000), (96, 960)),
    ((5000, 3), (480, 2)),
  ],
)
def test_a_film_has_the_shape_of_the_video(shape, size):
  frames, maps, score, anomalous = _film()
  frames[:], maps[:] = 0, 0
  page = next(
    _render(frames, maps, score, anomalous, footage=types.Footage(shape=shape))
  )
  assert page.shape == (size[1] + 22 + 96, 480, 3)
  dark = np.flatnonzero((page[: size[1]].max(axis=2) < 40).any(axis=0))
  assert len(dark) == size[0]


def test_the_threshold_is_a_dashed_line_and_flags(tmp_path):
  frames, maps, score, anomalous = _film()
  colour = np.array([int(style.NORMAL[i : i + 2], 16) for i in (1, 3, 5)])
  shares = {}
  for threshold in (None, 0.5, np.nan):
    page = list(_render(frames, maps, score, anomalous, threshold=threshold))[4]
    near = np.abs(page[-96:].astype(int) - colour).sum(axis=-1) < 60
    shares[threshold] = near.any(axis=0).mean(), near.any(axis=1).sum()
  assert shares[None][0] == shares[np.nan][0] == 0
  assert 0.4 < shares[0.5][0] < 0.7 and shares[0.5][1] <= 3


def test_seconds_are_shown():
  plain = list(_render(*_film()))
  timed = list(
    _render(
      *_film(), footage=types.Footage(seconds=[0, 0.04, 0.08, 0.12, 0.16, 0.2])
    )
  )
  other = list(
    _render(
      *_film(), footage=types.Footage(seconds=[1, 1.04, 1.08, 1.12, 1.16, 1.2])
    )
  )
  for i in range(6):
    assert (plain[i] != timed[i]).any() and (timed[i] != other[i]).any()


@pytest.mark.parametrize(
  'rate,exact',
  [(25, 25), (30000 / 1001, '30000/1001'), (1, 1), (0.5, '1/2'), (59.94, 0)],
)
def test_mp4_plays_at_the_rate(tmp_path, rate, exact):
  av = pytest.importorskip('av')
  path = overlay.write(tmp_path / 'film.mp4', _render(*_film()), rate=rate)
  with av.open(str(path)) as film:
    written_rate = film.streams.video[0].average_rate
    assert sum(1 for _ in film.decode(video=0)) == 6
  assert float(written_rate) == pytest.approx(rate, rel=1e-5)
  if exact:
    assert written_rate == fractions.Fraction(exact)


@pytest.mark.parametrize(
  'count,rate,shown', [(700, 25, 350), (60, 120, 20), (40, 1, 40), (90, 30, 90)]
)
def test_a_gif_lasts_as_long_as_the_video(tmp_path, count, rate, shown):
  pictures = (np.full((4, 4, 3), i % 251, np.uint8) for i in range(count))
  path = overlay.write(tmp_path / 'film.gif', pictures, rate=rate)
  with Image.open(path) as film:
    assert film.n_frames == shown
    total = 0
    for i in range(film.n_frames):
      film.seek(i)
      total += film.info['duration']
  assert total == pytest.approx(1000 * count / rate, abs=5)
