"""Packs UCSD Ped2 into one file that any machine with Pillow can read.

python -m memae_jax.data.prepare ucsd_ped2 --manual_dir=FOLDER
python -m benchmarks.pack_ped2 --to=ped2.zip [--data_dir=DIR] [--size=256]
  [--quality=90]

For machines without network, see benchmarks/accelerator. The file is a zip of
the folder that `data.name=frames` reads: train/VIDEO, test/VIDEO (grey WebP
frames, as configs/ped2.py has them) and ground_truth/VIDEO (masks, from which
the labels follow). WebP is lossy, so the AUROC of the frame difference is
measured before and after; if it moves by more than 0.002, or if the file is
over 35 MiB, nothing is written. The data set keeps the terms of its authors:
the file is not to be published. The last line is JSON.
"""

import argparse
import io
import json
import pathlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from PIL import Image

from configs import ped2
from memae_jax import cli, errors, writers
from memae_jax import config as config_lib
from memae_jax.data import protocols, sources, types
from memae_jax.evaluation import frames as frames_lib
from memae_jax.evaluation import video

LIMIT = 35 * 2**20  # Bytes of the file.
FAR = 0.002  # Of an AUROC.
_NAME = re.compile(r'(train|test|ground_truth)/[\w-]+/\d+\.(webp|png)')
_MEMBER = 2**20  # Bytes of the largest picture.


def data(size: int, **changes: Any) -> Any:
  """Returns the `data` fields of configs/ped2.py at a size, with changes."""
  config = ped2.get_config(f'size={size}')
  config.data.update(changes)
  return config_lib.resolve(config).data


def members(source: types.Source, quality: int) -> Iterator[tuple[str, bytes]]:
  """Yields the names and contents of the pictures.

  Args:
    source: of clips of grey frames, with masks of all test frames.
    quality: of WebP, up to 100.

  Raises:
    UserError: labels and masks differ.
  """
  masks, at = source.masks, 0
  has = masks[:].any(axis=(1, 2)) if masks is not None else None
  if has is None or not np.array_equal(has, source.labels == 1):
    raise errors.UserError(
      f'data set "{source.name}": a frame is anomalous if its mask has a pixel;'
      ' labels and masks differ here; fetch and prepare the masks again'
    )
  test = set(source.videos.video[source.is_test].tolist())
  mask = 1  # The first one is empty.
  for which, (name, length) in enumerate(
    zip(source.videos.names, source.videos.lengths.tolist())
  ):
    part = 'test' if which in test else 'train'
    for number in range(length):
      frame = Image.fromarray(source.inputs.frames[at + number, ..., 0])
      yield (
        f'{part}/{name}/{number:04d}.webp',
        _encoded(frame, 'WEBP', quality=quality, method=6),
      )
      if part == 'test':
        drawn = Image.fromarray(masks.frames[mask + number])
        yield (
          f'ground_truth/{name}/{number:04d}.png',
          _encoded(drawn, 'PNG', optimize=True),
        )
    at += length
    mask += length if part == 'test' else 0


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
  out = io.BytesIO()
  image.save(out, kind, **options)
  return out.getvalue()


def write(source: types.Source, path: pathlib.Path, quality: int) -> None:
  """Writes the pictures of a set as a zip file; see `members`."""
  with zipfile.ZipFile(path, 'w') as file:
    for name, content in members(source, quality):
      # Without the time of day: equal pictures make equal files.
      file.writestr(zipfile.ZipInfo(name), content)


def unpack(path: pathlib.Path, folder: pathlib.Path) -> None:
  """Makes the folder of frames; one that is there is whole and is left.

  Raises:
    UserError: the file is no such zip file, or damaged.
  """
  if folder.is_dir():
    return
  folder.parent.mkdir(parents=True, exist_ok=True)
  made = pathlib.Path(tempfile.mkdtemp(dir=folder.parent, prefix='incomplete.'))
  try:
    with zipfile.ZipFile(path) as file:
      for member in file.infolist():
        if not _NAME.fullmatch(member.filename) or member.file_size > _MEMBER:
          raise errors.UserError(
            f'{path} holds "{member.filename[:80]}", which is no picture of a'
            ' packed set; make it anew by benchmarks.pack_ped2'
          )
        file.extract(member, made)
    made.rename(folder)
  except (OSError, zipfile.BadZipFile) as error:
    raise errors.UserError(
      f'{path} cannot be unpacked ({error}); make it anew by'
      ' benchmarks.pack_ped2'
    ) from error
  finally:
    shutil.rmtree(made, ignore_errors=True)


def difference(source: types.Source, config: Any) -> dict[str, float | None]:
  """Returns the AUROCs of the difference to the frame before.

  Args:
    source: of clips.
    config: the resolved `config.data`.
  """
  split = protocols.split(source, config, 0, None)
  score = video.frame_difference(source, split.transform, split.test)
  found = video.frames(source, split.test, score, split.anomalous)
  metrics, _ = frames_lib.evaluate(found)
  names = 'auroc', 'auroc_normalised', 'auroc_macro'
  return {name: metrics[name] for name in names}


def compare(
  source: types.Source, config: Any, packed: pathlib.Path
) -> dict[str, Any]:
  """Returns the frame difference of a set and of its pack, and their error."""
  with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch) / 'frames'
    unpack(packed, folder)
    again = data(
      config.image_size,
      name='frames',
      path=str(folder),
      data_dir=scratch,
      colour='grey',
    )
    found = sources.load(again)
    error = np.float64(0)
    for one, two in zip(source.inputs.frames, found.inputs.frames):
      error += np.square(one.astype(np.float32) - two).mean()
    before, after = difference(source, config), difference(found, again)
    return {
      'frames': len(found.inputs.frames),
      'root_mean_square_error': round(
        float(np.sqrt(error / len(found.inputs.frames))), 3
      ),
      'labels_equal': bool(np.array_equal(source.labels, found.labels)),
      'masks_equal': bool(np.array_equal(source.masks[:], found.masks[:])),
      'frame_difference': before,
      'frame_difference_packed': after,
      'furthest': max(abs(before[name] - after[name]) for name in before),
    }


def check(facts: dict[str, Any]) -> None:
  """Raises UserError if a pack is too large or too far from its set."""
  if facts['bytes'] > LIMIT:
    raise errors.UserError(
      f'the file has {facts["bytes"] / 2**20:.1f} MiB, over'
      f' {LIMIT / 2**20:.0f}; lower --quality'
    )
  equal = facts['labels_equal'] and facts['masks_equal']
  if facts['furthest'] > FAR or not equal:
    raise errors.UserError(
      f'the packed set differs: AUROC of the frame difference by'
      f' {facts["furthest"]:.4f} (allowed {FAR}), labels and masks'
      f' {"equal" if equal else "unequal"}; raise --quality'
    )


def main():
  """Packs, compares and prints."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--to', type=pathlib.Path, required=True)
  parser.add_argument('--data_dir', default='')
  parser.add_argument('--size', type=int, default=256)
  parser.add_argument('--quality', type=int, default=90)
  args = parser.parse_args()
  jax.config.update('jax_platforms', 'cpu')
  cli.guarded(lambda: run(args))


def run(args: argparse.Namespace) -> None:
  """See `main`."""
  config = data(args.size, data_dir=args.data_dir)
  source = sources.load(config)
  with writers.replacing(args.to) as place:
    write(source, place, args.quality)
    facts = {'bytes': place.stat().st_size, 'quality': args.quality}
    facts |= compare(source, config, place)
    print(json.dumps(facts), flush=True)
    check(facts)


if __name__ == '__main__':
  main()
