"""Motion found frame after frame is that of the whole video, bit for bit."""

import numpy as np
import pytest

from memae_jax.data.videos import motion, motion_stream
from tests.data.videos import textures

_SIZE = (12, 16)


@pytest.mark.parametrize('kind', ['blocks', 'difference', 'flow'])
@pytest.mark.parametrize('length', [1, 4, 5, 6, 20])
def test_the_motion_of_the_video(kind, length):
  if kind == 'flow':
    pytest.importorskip('cv2', reason='needs OpenCV, the extra "flow"')
  settings = motion.Settings(kind)
  frames = textures.video(length, speed=1.5)
  want, _ = motion.of_video(frames, settings, _SIZE)
  follower = motion_stream.Follower(settings, _SIZE)
  found = [follower.add(frame[..., 0]) for frame in frames]
  counts = np.cumsum([len(part) for part in found])
  found = [field for part in [*found, follower.end()] for field in part]
  assert found[0].dtype == np.float16
  np.testing.assert_array_equal(np.stack(found), want[:])
  # What is known is behind by the look-ahead, once the first one is known.
  behind = np.arange(length) + 1 - counts
  assert (behind[counts > 0] == settings.look_ahead).all()
  assert counts[-1] == max(0, length - settings.look_ahead) * bool(
    length > sum(settings.around)
  )


def test_a_video_without_frames_has_no_motion():
  assert not motion_stream.Follower(motion.Settings('blocks'), _SIZE).end()
