import io

import numpy as np
import pytest
from PIL import Image

from memae_jax import errors
from memae_jax.evaluation import overlay
from memae_jax.evaluation.plots import style


def _film(count=6, height=31, width=44, channels=1):
  rng = np.random.default_rng(0)
  frames = rng.random((count, height, width, channels))
  maps = np.zeros(frames.shape[:3])
  maps[3:, 8:16, 8:16] = 1
  score = np.r_[np.nan, np.linspace(0, 1, count - 2), np.nan]
  return frames, maps, score, np.arange(count) >= 3


def _red(picture):
  """Share of the pixels that are nearly vermilion."""
  colour = np.array([int(style.ANOMALOUS[i : i + 2], 16) for i in (1, 3, 5)])
  return (np.abs(picture.astype(int) - colour).sum(axis=-1) < 30).mean()


@pytest.mark.parametrize('channels', [1, 3])
def test_pictures_have_even_sizes_and_mark_the_anomalous(channels):
  pictures = list(overlay.render(*_film(channels=channels)))
  assert len(pictures) == 6
  assert {p.dtype for p in pictures} == {np.dtype('u1')}
  assert len({p.shape for p in pictures}) == 1
  assert pictures[0].shape[0] % 2 == pictures[0].shape[1] % 2 == 0
  calm, alarm = (_red(p) for p in (pictures[2], pictures[3]))
  assert alarm > 3 * calm


def test_heat_is_where_the_error_is():
  frames, maps, score, anomalous = _film()
  frames[:] = 0.5
  picture = list(overlay.render(frames, maps, score, anomalous))[4].astype(int)
  grey = lambda row, column: np.ptp(picture[row, column]) < 3
  step = 480 / 44
  assert not grey(int(12 * step), int(12 * step))
  assert grey(int(25 * step), int(30 * step))


def test_one_limit_makes_films_comparable():
  frames, maps, score, anomalous = _film()
  strong, weak = (
    list(overlay.render(frames, m, score, anomalous, limit=1.0))[4]
    for m in (maps, maps / 100)
  )
  own = list(overlay.render(frames, maps / 100, score, anomalous))[4]
  assert (strong == own).all() and (strong != weak).any()


def test_frames_are_named_by_their_place_in_the_video():
  plain, same, later = (
    list(overlay.render(*_film(), number=number))[2]
    for number in (None, range(6), range(100, 106))
  )
  assert (plain == same).all() and (plain != later).any()


def test_gif_holds_every_frame(tmp_path):
  pictures = list(overlay.render(*_film()))
  path = overlay.write(tmp_path / 'film.gif', pictures, rate=5)
  with Image.open(path) as film:
    assert film.n_frames == 6 and film.info['duration'] == 200
    assert film.size == pictures[0].shape[1::-1]


def test_mp4_holds_every_frame(tmp_path):
  av = pytest.importorskip('av')
  pictures = list(overlay.render(*_film()))
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
  monkeypatch.setattr(overlay, '_has_h264', lambda: False)
  path = overlay.write(tmp_path / 'film.mp4', overlay.render(*_film()))
  assert path == tmp_path / 'film.gif' and path.exists()
  assert 'film.mp4 becomes a GIF' in caplog.text
  assert not (tmp_path / 'film.mp4').exists()


def test_nothing_is_left_of_a_film_that_fails(tmp_path):
  def broken():
    yield next(overlay.render(*_film()))
    raise RuntimeError('no more')

  with pytest.raises(RuntimeError, match='no more'):
    overlay.write(tmp_path / 'film.gif', broken())
  assert not list(tmp_path.iterdir())


def test_bad_input_is_one_clear_line(tmp_path):
  frames, maps, score, anomalous = _film()
  with pytest.raises(errors.UserError, match='give all of the same frames'):
    overlay.render(frames, maps[:, 1:], score, anomalous)
  with pytest.raises(errors.UserError, match='give all of the same frames'):
    overlay.render(frames, maps, score[1:], anomalous)
  with pytest.raises(errors.UserError, match='no frame of the film'):
    overlay.render(frames, maps, score * np.nan, anomalous)
  with pytest.raises(errors.UserError, match=r'ends in \.mp4 or \.gif'):
    overlay.write(tmp_path / 'film.avi', [])
