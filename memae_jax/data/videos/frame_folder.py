"""A user's own videos, as folders of frames or as video files, as a Source.

train/VIDEO/1.jpg ...          normal videos: a folder of frames each,
train/VIDEO.mp4                or a file each
test/VIDEO/1.jpg ...           videos to test on, likewise; optional
ground_truth/VIDEO/1.png ...   a mask for each frame of a test video; optional

Labels of the frames come from `data.label_path` (see `video_labels`), else
from the masks. Frames are taken in natural order: 2.jpg before 10.jpg. Empty
folders are passed over.
"""

import pathlib
from typing import NamedTuple

import numpy as np

from memae_jax.data import listing, registry, types
from memae_jax.data.images import decode_image
from memae_jax.data.videos import clips, decode_video, frame_cache, video_labels
from memae_jax.runtime import errors, foreign

_LAYOUT = (
  'expected train/VIDEO and test/VIDEO, each a folder of frames or a video file'
)
_OF_SYSTEMS = ('Thumbs.db', 'desktop.ini')  # Nobody put them there.


class _Found(NamedTuple):
  """A video: its name and its files, pictures in order or one video file."""

  name: str
  files: tuple[pathlib.Path, ...]


def load(config) -> types.Source:
  """Loads the videos of `data.path`, those of train first.

  Decoded frames are kept in the data directory, for the next time.

  Returns:
    Source of clips [S, T, H, W, 1 or 3] uint8; label 0 is normal.

  Raises:
    UserError: naming the folder, the file or the video that is wrong.
  """
  root = _root(config.path)
  train, passed = _videos(root / 'train')
  test, passed_of_test = _videos(root / 'test')
  if not train:
    raise errors.UserError(f'{root / "train"} has no video; {_LAYOUT}')
  if not test and (root / 'test').exists():
    raise errors.UserError(
      f'{root / "test"} has no video; {_LAYOUT}, or remove it'
    )
  cache = registry.data_dir(config.data_dir) / 'frames'
  settings = decode_video.size(config), config.colour
  found = [*train, *test]
  frames, lengths, footage = decode_video.cached(
    cache,
    frame_cache.fingerprint([f for v in found for f in v.files], *settings),
    [decode_video.of_files(v.name, v.files) for v in found],
    *settings,
  )
  names = [video.name for video in test]
  masks, first = _masks(root, names, lengths[len(train) :], cache, config)
  labels = _labels(config, names, lengths[len(train) :], masks, first)
  videos = [
    clips.Video(video.name, length, is_test=False, footage=filmed)
    for video, length, filmed in zip(train, lengths, footage)
  ] + [
    clips.Video(name, length, True, label, first.get(name), filmed)
    for name, length, label, filmed in zip(
      names, lengths[len(train) :], labels, footage[len(train) :]
    )
  ]
  source = clips.source(
    'frames',
    frames,
    videos,
    config,
    masks=masks,
    labelled=all(label is not None for label in labels),
    dropped=_dropped(root, found),
    notes={'labels': _origin(config, masks)},
    remarks=_remarks(root, passed + passed_of_test),
  )
  if source.labelled:
    remark = video_labels.remark(_origin(config, masks), labels)
    source = source._replace(remarks=(*source.remarks, remark))
  return source


def _root(path: str) -> pathlib.Path:
  if not path:
    raise errors.UserError(
      'config field "data.path" is empty; data set "frames" needs a folder'
    )
  root = pathlib.Path(path)
  if not (root / 'train').is_dir():
    there = 'has no folder train' if root.is_dir() else 'is no folder'
    raise errors.UserError(f'{root} {there}; {_LAYOUT}')
  return root


def _videos(folder) -> tuple[list[_Found], list[pathlib.Path]]:
  """Returns the videos of a folder in natural order, and folders of nothing."""
  found, passed = [], []
  for entry in listing.folders(folder):
    files = decode_image.files(entry)
    if files:
      found.append(_Found(entry.name, files))
    elif others := [
      file for file in listing.files(entry) if file.name not in _OF_SYSTEMS
    ]:
      raise errors.UserError(
        f'{foreign.name_of(entry)} has no frame'
        f' ({", ".join(decode_image.SUFFIXES)}), but'
        f' {foreign.name_of(others[0].relative_to(entry))}; put frames there,'
        ' or remove it; video files lie beside the folders'
      )
    else:
      passed.append(entry)
  for file in folder.glob('*') if folder.is_dir() else ():
    is_video = file.suffix.lower() in decode_video.SUFFIXES and file.is_file()
    if is_video and file.name[0] != '.':
      found.append(_Found(file.stem, (file,)))
  found.sort(key=lambda video: listing.natural(pathlib.Path(video.name)))
  for one, two in zip(found, found[1:]):
    if one.name == two.name:
      raise errors.UserError(
        f'{foreign.name_of(folder)} has two videos'
        f' "{foreign.name_of(one.name)}"; rename or remove one'
      )
  return found, passed


def _remarks(root, passed) -> tuple[str, ...]:
  if not passed:
    return ()
  names = [foreign.name_of(folder.relative_to(root)) for folder in passed[:3]]
  more = f' and {len(passed) - 3} more' if len(passed) > 3 else ''
  return (f'empty folders are passed over: {", ".join(names)}{more}',)


def _masks(root, names, lengths, cache, config):
  """Returns masks [M, H, W] bool (None without) and where each video begins."""
  folder = root / 'ground_truth'
  if not folder.is_dir():
    return None, {}
  known = dict(zip(names, lengths))
  files = {f.name.removesuffix('_gt'): f for f in listing.folders(folder)}
  for name, entry in files.items():
    if name not in known:
      raise errors.UserError(
        f'{entry} has masks, but there is no test video "{name}"'
        + errors.did_you_mean(name, names)
      )
  if not files:
    raise errors.UserError(
      f'{folder} has no folder with the name of a test video; remove it'
    )
  files = {name: decode_image.files(entry) for name, entry in files.items()}
  size = decode_video.size(config)

  def decode(_):
    shape = None
    for name, some in files.items():
      made = decode_video.masks(some, known[name], size)
      if shape is None:
        shape = made.shape[1:]
        yield np.zeros((1, *shape), bool), None  # Of frames without a mask.
      yield made, None

  everything = [file for some in files.values() for file in some]
  masks, counts, _ = frame_cache.load(
    cache, frame_cache.fingerprint(everything, 'masks', size), decode
  )
  return masks, dict(zip(files, np.cumsum(counts).tolist()))


def _labels(config, names, lengths, masks, first) -> list[np.ndarray | None]:
  """Returns the labels of each test video, None where nobody gives any."""
  if config.label_path:
    return video_labels.read(pathlib.Path(config.label_path), names, lengths)
  if masks is None:
    return [None] * len(names)
  for name in names:
    if name not in first:
      raise errors.UserError(
        f'ground_truth has no masks of test video "{name}"; add them, or set'
        ' data.label_path'
      )
  return [
    masks[first[name] : first[name] + length].any(axis=(1, 2))
    for name, length in zip(names, lengths)
  ]


def _origin(config, masks) -> str:
  if config.label_path:
    return pathlib.Path(config.label_path).name
  return 'none' if masks is None else 'masks'


def _dropped(root, found) -> tuple:
  used = {file for video in found for file in video.files}
  there = [*listing.files(root / 'train'), *listing.files(root / 'test')]
  left = [file for file in there if file not in used]
  if not left:
    return ()
  name = left[0].relative_to(root).as_posix()
  why = f'files that are neither frames nor videos, such as {name}'
  return ({'count': len(left), 'why': why},)
