"""Trees of published videos in small, and how they are refused."""

import pytest

from memae_jax.data import prepare
from memae_jax.runtime import errors


def shrink(monkeypatch, builder, videos=(2, 2), frames=40):
  monkeypatch.setattr(builder, 'VIDEOS', videos)
  monkeypatch.setattr(builder, 'FRAMES', frames)


def refused(tmp_path, name, folder, match):
  with pytest.raises(errors.UserError, match=match) as caught:
    prepare.prepare(name, tmp_path / 'sets', folder)
  assert '\n' not in str(caught.value)
  assert not list((tmp_path / 'sets').rglob('*array_record*'))


def film(path, frames, rate=25):
  av = pytest.importorskip('av', reason='PyAV is not installed')
  path.parent.mkdir(parents=True, exist_ok=True)
  with av.open(str(path), 'w') as container:
    stream = container.add_stream('ffv1', rate=rate)
    stream.height, stream.width = frames.shape[1:]
    stream.pix_fmt = 'gray'
    for pixels in frames:
      frame = av.VideoFrame.from_ndarray(pixels, format='gray')
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
