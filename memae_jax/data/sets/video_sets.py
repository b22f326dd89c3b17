"""Reads prepared sets of videos: UCSD Ped2, CUHK Avenue and ShanghaiTech."""

import pathlib
from typing import Any, NamedTuple

import numpy as np

from memae_jax.data import prepare, registry, types
from memae_jax.data.images import decode_image
from memae_jax.data.videos import (
  clips,
  decode_video,
  frame_cache,
  motion,
  video_labels,
  views,
)
from memae_jax.runtime import errors


class _Prepared(NamedTuple):
  """A prepared set of videos on disk.

  builder: the TFDS builder of the set.
  index: the metadata of the set: names, labels and where they are from.
  train, test: the TFDS records of the videos, in the order of their names.
  cache: the folder for decoded frames.
  """

  builder: Any
  index: Any
  train: Any
  test: Any
  cache: pathlib.Path

  @property
  def files(self) -> list[pathlib.Path]:
    """The files of the set, in order."""
    return sorted(pathlib.Path(self.builder.data_path).iterdir())

  @property
  def videos(self) -> list[decode_video.Video]:
    """Returns all videos, those of train first, which are read when decoded."""
    of_split = zip(
      (self.index['train'], self.index['test']), (self.train, self.test)
    )
    return [
      decode_video.Video(name, lambda r=records, i=i, n=name: _files(r[i], n))
      for names, records in of_split
      for i, name in enumerate(names)
    ]

  def fingerprint(self, content: str, size: decode_image.Size) -> str:
    """Returns the name of an entry of the cache.

    Args:
      content: the colour of frames, or 'masks'.
      size: of the frames or masks.
    """
    return frame_cache.fingerprint(self.files, content, size)


def load(config) -> types.Source:
  """Reads a prepared set, with `data.colour` "auto" as grey, as in the paper.

  Decoded frames and masks are kept in the data directory, for the next time.

  Args:
    config: the resolved `config.data`.

  Returns:
    Source of clips [S, T, H, W, C], training videos first.

  Raises:
    UserError: the set is not prepared or is damaged, or labels do not fit.
  """
  prepared = _open(config)
  index = prepared.index
  frames, lengths, footage = _frames(prepared, config)
  count = len(prepared.train)
  train_lengths, test_lengths = lengths[:count], lengths[count:]
  labels = _labels(prepared, test_lengths, config)
  masks, first = _masks(prepared, config)
  videos = [
    clips.Video(name, length, is_test=False, footage=filmed)
    for name, length, filmed in zip(index['train'], train_lengths, footage)
  ] + [
    clips.Video(name, length, True, label, begin, filmed)
    for name, length, label, begin, filmed in zip(
      index['test'], test_lengths, labels, first, footage[count:]
    )
  ]
  seen = views.seen(
    frames,
    [video.name for video in videos],
    footage,
    config,
    lambda *how: motion.cached(
      prepared.cache, prepared.files, prepared.videos, *how
    ),
  )
  origin = pathlib.Path(config.label_path).name or index['labels_from']
  source = clips.source(
    config.name,
    seen.frames,
    videos,
    config,
    masks=masks,
    reading=clips.Reading(
      notes={'labels': origin, 'frames': index['frames_from']},
      warnings=seen.warnings,
      pictures=seen.pictures,
    ),
  )
  remark = video_labels.remark(origin, labels)
  return source._replace(remarks=(*source.remarks, remark))


def _open(config) -> _Prepared:
  """Opens the set that `config.name` names, without reading its videos."""
  folder = registry.data_dir(config.data_dir)
  builder = prepare.open_prepared(config.name, folder)
  train, test = (builder.as_data_source(split) for split in ('train', 'test'))
  return _Prepared(
    builder, builder.info.metadata, train, test, folder / 'frames'
  )


def _frames(prepared, config):
  """Returns the frames of all videos, their lengths and their footage.

  See `decode_video.cached`.
  """
  size = decode_video.size(config)
  colour = 'grey' if config.colour == 'auto' else config.colour
  name = prepared.fingerprint(colour, size)
  return decode_video.cached(
    prepared.cache, name, prepared.videos, size, colour
  )


def _labels(prepared, lengths, config) -> list[np.ndarray]:
  """Returns the labels [n] of each test video: the user's or the publisher's.

  Args:
    prepared: the set.
    lengths: number of frames of each test video.
    config: the resolved `config.data`.
  """
  names = prepared.index['test']
  if config.label_path:
    return video_labels.read(pathlib.Path(config.label_path), names, lengths)
  labels = [np.array(part, np.uint8) for part in prepared.index['labels']]
  for name, label, length in zip(names, labels, lengths):
    if len(label) != length:
      raise errors.UserError(
        f'data set "{config.name}": test video "{name}" has {length} frames,'
        f' but {len(label)} labels; delete {prepared.builder.data_path} and'
        ' prepare it from complete files'
      )
  return labels


def _masks(prepared, config) -> tuple[np.ndarray | None, list[int | None]]:
  """Returns the masks [M, H, W] of the set, and each test video's first one.

  The first mask of all is empty. In a set without masks, all are None.
  """
  if not prepared.index['masks']:
    return None, [None] * len(prepared.test)
  size = decode_video.size(config)
  masks, counts, _ = frame_cache.load(
    prepared.cache,
    prepared.fingerprint('masks', size),
    lambda _: _decoded_masks(prepared.test, size),
  )
  return masks, np.cumsum(counts)[:-1].tolist()


def _files(record, name) -> list[decode_video.File]:
  """Returns the publisher's files that the record of a video holds."""
  suffix = record['suffix'].decode()
  parts = np.split(record['files'], np.cumsum(record['sizes'])[:-1])
  return [
    decode_video.File(pathlib.Path(f'{name}/{number}{suffix}'), part.tobytes())
    for number, part in enumerate(parts)
  ]


def _decoded_masks(records, size):
  """Yields one empty mask, then the masks [n, H, W] of each test video."""
  shape = None
  for record in records:
    masks = np.stack(
      [decode_image.fit_mask(mask > 0, size) for mask in record['masks']]
    )
    if shape is None:
      shape = masks.shape[1:]
      yield np.zeros((1, *shape), bool), None
    yield masks, None
