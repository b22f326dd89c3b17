"""Prepared sets of videos: UCSD Ped2, CUHK Avenue, ShanghaiTech."""

import pathlib

import numpy as np

from memae_jax.data import prepare, registry, types
from memae_jax.data.images import decode_image
from memae_jax.data.videos import clips, decode_video, frame_cache, video_labels
from memae_jax.runtime import errors


def load(config) -> types.Source:
  """Reads a prepared set, with `data.colour` "auto" as grey (the paper).

  Decoded frames and masks are kept in the data directory, for the next time.

  Returns:
    Source of clips [S, T, H, W, C] uint8, training videos first.

  Raises:
    UserError: it is not prepared, damaged, or labels do not fit.
  """
  folder = registry.data_dir(config.data_dir)
  builder = prepare.open_prepared(config.name, folder)
  size = decode_video.size(config)
  colour = 'grey' if config.colour == 'auto' else config.colour
  files = sorted(pathlib.Path(builder.data_path).iterdir())
  cache = folder / 'frames'
  key = lambda what: frame_cache.fingerprint(files, what, size)
  index = builder.info.metadata
  train, test = (builder.as_data_source(split) for split in ('train', 'test'))
  videos = _videos(index['train'], train) + _videos(index['test'], test)
  frames, lengths, footage = decode_video.cached(
    cache, key(colour), videos, size, colour
  )
  names, labels = index['test'], _given(index)
  if config.label_path:
    path = pathlib.Path(config.label_path)
    labels = video_labels.read(path, names, lengths[len(train) :])
  for name, label, length in zip(names, labels, lengths[len(train) :]):
    if len(label) != length:
      raise errors.UserError(
        f'data set "{config.name}": test video "{name}" has {length} frames,'
        f' but {len(label)} labels; delete {builder.data_path} and prepare it'
        ' from complete files'
      )
  masks, first = None, [None] * len(test)
  if index['masks']:
    masks, counts, _ = frame_cache.load(
      cache, key('masks'), lambda _: _masks(test, size)
    )
    first = np.cumsum(counts)[:-1].tolist()
  found = [
    clips.Video(name, length, is_test=False, footage=filmed)
    for name, length, filmed in zip(index['train'], lengths, footage)
  ] + [
    clips.Video(name, length, True, label, begin, filmed)
    for name, length, label, begin, filmed in zip(
      names, lengths[len(train) :], labels, first, footage[len(train) :]
    )
  ]
  origin = pathlib.Path(config.label_path).name or index['labels_from']
  source = clips.source(
    config.name,
    frames,
    found,
    config,
    masks=masks,
    notes={'labels': origin, 'frames': index['frames_from']},
  )
  remark = video_labels.remark(origin, labels)
  return source._replace(remarks=(*source.remarks, remark))


def _given(index) -> list[np.ndarray]:
  """Returns the publisher's labels [n] uint8 of each test video."""
  return [np.array(labels, np.uint8) for labels in index['labels']]


def _videos(names, records) -> list[decode_video.Video]:
  return [
    decode_video.Video(name, lambda i=i, name=name: _files(records[i], name))
    for i, name in enumerate(names)
  ]


def _files(record, name) -> list[decode_video.File]:
  """Returns the publisher's files of a video."""
  suffix = record['suffix'].decode()
  parts = np.split(record['files'], np.cumsum(record['sizes'])[:-1])
  return [
    decode_video.File(pathlib.Path(f'{name}/{number}{suffix}'), part.tobytes())
    for number, part in enumerate(parts)
  ]


def _masks(records, size):
  """Yields an empty mask, and the masks [n, H, W] of each test video."""
  shape = None
  for record in records:
    masks = np.stack(
      [decode_image.fit_mask(mask > 0, size) for mask in record['masks']]
    )
    if shape is None:
      shape = masks.shape[1:]
      yield np.zeros((1, *shape), bool), None
    yield masks, None
