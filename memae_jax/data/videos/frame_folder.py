"""Reads a user's own videos, folders of frames or video files, as a Source.

train/VIDEO/1.jpg ...          normal videos: one folder of frames per video,
train/VIDEO.mp4                or one file per video
test/VIDEO/1.jpg ...           videos to test on, likewise; optional
ground_truth/VIDEO/1.png ...   a mask for each frame of a test video; optional

Labels of the frames come from `data.label_path` (see `video_labels`), or else
from the masks. Frames are taken in natural order: 2.jpg before 10.jpg. Empty
folders are passed over.
"""

import pathlib
from typing import Any, NamedTuple

import numpy as np

from memae_jax.data import listing, registry, types
from memae_jax.data.images import decode_image
from memae_jax.data.videos import (
  clips,
  decode_video,
  frame_cache,
  motion,
  video_labels,
  views,
)
from memae_jax.runtime import errors, foreign

_LAYOUT = (
  'expected train/VIDEO and test/VIDEO, each a folder of frames or a video file'
)
_SYSTEM_FILES = ('Thumbs.db', 'desktop.ini')  # Windows puts them there.


class _VideoFiles(NamedTuple):
  """Name and files of a video: pictures in order, or one video file."""

  name: str
  files: tuple[pathlib.Path, ...]


def load(config) -> types.Source:
  """Loads the videos of `data.path`, those of train first.

  Decoded frames are kept in the data directory, for the next time.

  Args:
    config: the resolved `config.data`.

  Returns:
    Source of clips [S, T, H, W, C]; label 0 is normal.

  Raises:
    UserError: a folder, a file or a video is wrong; it is named.
  """
  root = _root(config.path)
  train, test, empty = _train_and_test(root)
  cache = registry.data_dir(config.data_dir) / 'frames'
  settings = decode_video.size(config), config.colour
  files = [*train, *test]
  all_files = [file for video in files for file in video.files]
  undecoded = [decode_video.of_files(v.name, v.files) for v in files]
  frames, lengths, footage = decode_video.cached(
    cache,
    frame_cache.fingerprint(all_files, *settings),
    undecoded,
    *settings,
  )
  seen = views.seen(
    frames,
    [video.name for video in files],
    footage,
    config,
    lambda *how: motion.cached(cache, all_files, undecoded, *how),
  )
  names = [video.name for video in test]
  train_lengths, test_lengths = lengths[: len(train)], lengths[len(train) :]
  masks, first = _masks(root, names, test_lengths, cache, config)
  labels = _labels(config, names, test_lengths, masks, first)
  videos = [
    clips.Video(video.name, length, is_test=False, footage=filmed)
    for video, length, filmed in zip(train, train_lengths, footage)
  ] + [
    clips.Video(name, length, True, label, first.get(name), filmed)
    for name, length, label, filmed in zip(
      names, test_lengths, labels, footage[len(train) :]
    )
  ]
  source = clips.source(
    'frames',
    seen.frames,
    videos,
    config,
    masks=masks,
    labelled=all(label is not None for label in labels),
    reading=clips.Reading(
      dropped=_dropped(root, files),
      notes={'labels': _origin(config, masks)},
      remarks=_remarks(root, empty),
      warnings=seen.warnings,
      pictures=seen.pictures,
    ),
  )
  if source.labelled:
    remark = video_labels.remark(_origin(config, masks), labels)
    source = source._replace(remarks=(*source.remarks, remark))
  return source


def _root(path: str) -> pathlib.Path:
  """Returns the folder with the videos; refuses one without a folder train."""
  if not path:
    raise errors.UserError(
      'config field "data.path" is empty; data set "frames" needs a folder'
    )
  root = pathlib.Path(path)
  if not (root / 'train').is_dir():
    lack = 'has no folder train' if root.is_dir() else 'is not a folder'
    raise errors.UserError(f'{root} {lack}; {_LAYOUT}')
  return root


def _train_and_test(root):
  """Returns the training videos, the test videos, and all empty folders."""
  train, empty_train = _videos(root / 'train')
  test, empty_test = _videos(root / 'test')
  if not train:
    raise errors.UserError(f'{root / "train"} has no video; {_LAYOUT}')
  if not test and (root / 'test').exists():
    raise errors.UserError(
      f'{root / "test"} has no video; {_LAYOUT}, or remove it'
    )
  return train, test, empty_train + empty_test


def _videos(folder) -> tuple[list[_VideoFiles], list[pathlib.Path]]:
  """Returns the videos of a folder in natural order, and its empty folders."""
  videos, empty = [], []
  for entry in listing.folders(folder):
    files = decode_image.files(entry)
    if files:
      videos.append(_VideoFiles(entry.name, files))
    elif others := [
      file for file in listing.files(entry) if file.name not in _SYSTEM_FILES
    ]:
      raise errors.UserError(
        f'{foreign.name_of(entry)} has no frame'
        f' ({", ".join(decode_image.SUFFIXES)}), but'
        f' {foreign.name_of(others[0].relative_to(entry))}; put frames there,'
        ' or remove it (video files lie beside the folders)'
      )
    else:
      empty.append(entry)
  for file in folder.glob('*') if folder.is_dir() else ():
    is_video = file.suffix.lower() in decode_video.SUFFIXES and file.is_file()
    if is_video and file.name[0] != '.':
      videos.append(_VideoFiles(file.stem, (file,)))
  videos.sort(key=lambda video: listing.natural(pathlib.Path(video.name)))
  for one, two in zip(videos, videos[1:]):
    if one.name == two.name:
      raise errors.UserError(
        f'{foreign.name_of(folder)} has two videos'
        f' "{foreign.name_of(one.name)}"; rename or remove one'
      )
  return videos, empty


def _remarks(root, empty) -> tuple[str, ...]:
  """Returns the remark on folders that are empty, if there are any."""
  if not empty:
    return ()
  names = [foreign.name_of(folder.relative_to(root)) for folder in empty[:3]]
  more = f' and {len(empty) - 3} more' if len(empty) > 3 else ''
  return (f'empty folders are passed over: {", ".join(names)}{more}',)


def _masks(root, names, lengths, cache, config):
  """Returns the masks [M, H, W] bool, and the index of each video's first one.

  The first mask of all is empty, for frames without a mask. Without a folder
  of masks: None, and no indices.
  """
  folder = root / 'ground_truth'
  if not folder.is_dir():
    return None, {}
  length_of = dict(zip(names, lengths))
  folders = {f.name.removesuffix('_gt'): f for f in listing.folders(folder)}
  for name, entry in folders.items():
    if name not in length_of:
      raise errors.UserError(
        f'{entry} has masks, but there is no test video "{name}"'
        + errors.did_you_mean(name, names)
      )
  if not folders:
    raise errors.UserError(
      f'{folder} has no folder with the name of a test video; remove it'
    )
  files = {name: decode_image.files(entry) for name, entry in folders.items()}
  size = decode_video.size(config)

  def decode(_):
    shape = None
    for name, pictures in files.items():
      masks = decode_video.masks(pictures, length_of[name], size)
      if shape is None:
        shape = masks.shape[1:]
        yield np.zeros((1, *shape), bool), None
      yield masks, None

  all_files = [file for pictures in files.values() for file in pictures]
  masks, counts, _ = frame_cache.load(
    cache, frame_cache.fingerprint(all_files, 'masks', size), decode
  )
  return masks, dict(zip(files, np.cumsum(counts).tolist()))


def _labels(config, names, lengths, masks, first) -> list[np.ndarray | None]:
  """Returns the labels [n] of each test video; None: there are none."""
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
  """Returns where the labels are from, in a word for the results."""
  if config.label_path:
    return pathlib.Path(config.label_path).name
  return 'none' if masks is None else 'masks'


def _dropped(root, videos) -> tuple[dict[str, Any], ...]:
  """Returns the entry on files that belong to no video, if there are any."""
  used = {file for video in videos for file in video.files}
  files = [*listing.files(root / 'train'), *listing.files(root / 'test')]
  unused = [file for file in files if file not in used]
  if not unused:
    return ()
  name = unused[0].relative_to(root).as_posix()
  why = f'files that are neither frames nor videos, such as {name}'
  return ({'count': len(unused), 'why': why},)
