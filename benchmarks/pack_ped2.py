"""Packs UCSD Ped2 into one file that any machine with SciPy can read.

python -m memae_jax.data.prepare ucsd_ped2 --manual_dir=FOLDER
python -m benchmarks.pack_ped2 --to=ped2.zip [--data_dir=DIR] [--size=256]
  [--step=4.8]

It is for machines without network, see benchmarks/accelerator. The file is a
zip of grey videos (`dct_video`), of masks, from which the labels follow, and of
facts.json, which lists them. `unpack` makes from it the folder that
`data.name=frames` reads. Videos are rounded, so the AUROC of the frame
difference is measured before and after; if it moves by more than 0.002, or if
the file is over 35 MiB, nothing is written. The data set keeps the terms of its
authors: the file must not be published. The last line is JSON.
"""

import argparse
import json
import lzma
import pathlib
import re
import shutil
import tempfile
import zipfile
from concurrent import futures
from typing import Any

import jax
import numpy as np
from PIL import Image

from benchmarks import dct_video
from configs import ped2
from memae_jax import cli, losses
from memae_jax import config as config_lib
from memae_jax.data import protocols, sources, types
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.scoring import clip_scores, plain_videos
from memae_jax.methods import frame_scores
from memae_jax.runtime import atomic, errors, host, strict_json

LIMIT = 35 * 2**20  # Most bytes of the file.
FAR = 0.002  # Most by which an AUROC may move.
_NAME = re.compile(r'[A-Za-z0-9_-]+')
_MOST = 2**28  # Most pixels of a video.
_FACTS = {
  'size': int,
  'videos': [{'part': str, 'name': str, 'frames': int}],
}


def data(size: int, **changes: Any) -> Any:
  """Returns the `data` fields of configs/ped2.py at a size, with changes."""
  config = ped2.get_config(f'size={size}')
  config.data.update(changes)
  return config_lib.resolve(config).data


class _Part:
  """One video of a source: its name, its frames, and its masks."""

  def __init__(self, source: types.Source, which: int):
    lengths = source.videos.lengths.tolist()
    at, is_test = sum(lengths[:which]), _tests(source)
    self.name, self.count = source.videos.names[which], lengths[which]
    self.part = 'test' if is_test[which] else 'train'
    self.frames = source.inputs.frames[at : at + self.count, ..., 0]
    before = sum(n for n, test in zip(lengths[:which], is_test) if test)
    # The first mask is empty.
    self.masks = source.masks.frames[1 + before : 1 + before + self.count]

  @property
  def facts(self) -> dict[str, Any]:
    """Entry of facts.json."""
    return {'part': self.part, 'name': self.name, 'frames': self.count}


def _tests(source: types.Source) -> list[bool]:
  """Returns for each video whether it is a test video."""
  test = set(source.videos.video[source.is_test].tolist())
  return [which in test for which in range(len(source.videos.names))]


def write(source: types.Source, path: pathlib.Path, step: float) -> None:
  """Writes a data set as a zip file.

  Args:
    source: of clips of square grey frames, with masks of all test frames.
    path: of the file.
    step: see `dct_video.encode`.

  Raises:
    UserError: labels and masks differ.
  """
  masks = source.masks
  marked = None if masks is None else masks[:].any(axis=(1, 2))
  if marked is None or not np.array_equal(marked, source.labels == 1):
    raise errors.UserError(
      f'data set "{source.name}": a frame is anomalous if its mask has a pixel;'
      ' labels and masks differ here; fetch and prepare the masks again'
    )
  parts = [_Part(source, i) for i in range(len(source.videos.names))]
  facts = {
    'size': source.inputs.frames.shape[1],
    'videos': [part.facts for part in parts],
  }
  with (
    zipfile.ZipFile(path, 'w') as file,
    futures.ThreadPoolExecutor(host.cores()) as pool,
  ):
    # ZipInfo has no time of day, so that equal videos make equal files.
    add = lambda name, content: file.writestr(zipfile.ZipInfo(name), content)
    add('facts.json', json.dumps(facts))
    encoded = pool.map(lambda p: dct_video.encode(p.frames, step), parts)
    for part, content in zip(parts, encoded):
      add(f'{part.part}/{part.name}', content)
      if part.part == 'test':
        bits = np.packbits(part.masks).tobytes()
        add(f'masks/{part.name}', lzma.compress(bits))


def unpack(path: pathlib.Path, folder: pathlib.Path) -> None:
  """Makes the folder of frames, unless it is there.

  Raises:
    UserError: the file is not from `write`, or is damaged.
  """
  if folder.is_dir():
    return
  folder.parent.mkdir(parents=True, exist_ok=True)
  partial = pathlib.Path(
    tempfile.mkdtemp(dir=folder.parent, prefix='incomplete.')
  )
  try:
    with zipfile.ZipFile(path) as file:
      facts = strict_json.loads(file.read('facts.json'))
      strict_json.check(facts, _FACTS)
      with futures.ThreadPoolExecutor(host.cores()) as pool:
        contents = [_content(file, video) for video in facts['videos']]
        list(
          pool.map(
            lambda video, content: _unpack(
              video, content, facts['size'], partial
            ),
            facts['videos'],
            contents,
          )
        )
    partial.rename(folder)
  except (
    OSError,
    KeyError,
    ValueError,
    lzma.LZMAError,
    zipfile.BadZipFile,
  ) as error:
    raise errors.UserError(
      f'{path} cannot be unpacked ({error}); make it anew by'
      ' benchmarks.pack_ped2'
    ) from error
  finally:
    shutil.rmtree(partial, ignore_errors=True)


def _content(file: zipfile.ZipFile, video: dict) -> tuple[bytes, bytes]:
  """Returns the content of a video and of its masks; b'' for none."""
  name, part = video['name'], video['part']
  if part not in ('train', 'test') or not _NAME.fullmatch(name):
    raise ValueError(f'"{part[:20]}/{name[:40]}" is not a video')
  is_test = part == 'test'
  return (
    file.read(f'{part}/{name}'),
    file.read(f'masks/{name}') if is_test else b'',
  )


def _unpack(
  video: dict, content: tuple[bytes, bytes], size: int, folder: pathlib.Path
) -> None:
  """Writes the pictures of a video."""
  shape = video['frames'], size, size
  if not 0 < int(np.prod(shape, dtype=object)) <= _MOST:
    raise ValueError(f'no video has the shape {shape}')
  frames = dct_video.decode(content[0], shape)
  _save(frames, folder / video['part'] / video['name'], 'bmp')
  if video['part'] == 'test':
    bits = np.frombuffer(lzma.decompress(content[1]), np.uint8)
    masks = np.unpackbits(bits)[: frames.size].reshape(shape).astype(bool)
    _save(masks, folder / 'ground_truth' / video['name'], 'png')


def _save(pictures: np.ndarray, folder: pathlib.Path, kind: str) -> None:
  folder.mkdir(parents=True)
  for number, picture in enumerate(pictures):
    Image.fromarray(picture).save(folder / f'{number:04d}.{kind}')


def difference(source: types.Source, config: Any) -> dict[str, float | None]:
  """Returns AUROCs of the difference to the previous frame as a score.

  Args:
    source: of clips.
    config: the resolved `config.data`.
  """
  split = protocols.split(source, config, 0, None)
  by_rule = plain_videos.score(
    source,
    split.transform,
    split.test,
    'frame_difference',
    frame_scores.Rules(losses.CLIP, 1),
  )
  score = by_rule['mse']
  frames = clip_scores.frames(source, split.test, score, split.anomalous)
  metrics, _ = frames_lib.evaluate(frames)
  names = 'auroc', 'auroc_normalised', 'auroc_macro'
  return {name: metrics[name] for name in names}


def compare(
  source: types.Source, config: Any, packed: pathlib.Path
) -> dict[str, Any]:
  """Returns how far a packed data set is from the original.

  Args:
    source: the original.
    config: its resolved `config.data`.
    packed: path of the file.
  """
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
    unpacked = sources.load(again)
    error = np.float64(0)
    for one, two in zip(source.inputs.frames, unpacked.inputs.frames):
      error += np.square(one.astype(np.float32) - two).mean()
    before, after = difference(source, config), difference(unpacked, again)
    return {
      'frames': len(unpacked.inputs.frames),
      'root_mean_square_error': round(
        float(np.sqrt(error / len(unpacked.inputs.frames))), 3
      ),
      'labels_equal': bool(np.array_equal(source.labels, unpacked.labels)),
      'masks_equal': bool(np.array_equal(source.masks[:], unpacked.masks[:])),
      'frame_difference': before,
      'frame_difference_packed': after,
      'furthest': max(abs(before[name] - after[name]) for name in before),
    }


def check(facts: dict[str, Any]) -> None:
  """Raises UserError if a file is too large or too far from its data set."""
  if facts['bytes'] > LIMIT:
    raise errors.UserError(
      f'the file has {facts["bytes"] / 2**20:.1f} MiB, over'
      f' {LIMIT / 2**20:.0f}; raise --step'
    )
  equal = facts['labels_equal'] and facts['masks_equal']
  if facts['furthest'] > FAR or not equal:
    raise errors.UserError(
      f'the packed set differs: AUROC of the frame difference by'
      f' {facts["furthest"]:.4f} (allowed {FAR}), labels and masks'
      f' {"equal" if equal else "unequal"}; lower --step'
    )


def main():
  """Packs, compares and prints."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--to', type=pathlib.Path, required=True)
  parser.add_argument('--data_dir', default='')
  parser.add_argument('--size', type=int, default=256)
  parser.add_argument('--step', type=float, default=4.8)
  args = parser.parse_args()
  jax.config.update('jax_platforms', 'cpu')
  cli.guarded(lambda: run(args))


def run(args: argparse.Namespace) -> None:
  """Packs, compares and prints, with parsed arguments.

  Raises:
    UserError: --step is too small, or the file is too large or too far off.
  """
  if args.step < dct_video.LEAST:
    raise errors.UserError(
      f'--step is {args.step}; give at least {dct_video.LEAST}'
    )
  config = data(args.size, data_dir=args.data_dir)
  source = sources.load(config)
  with atomic.replacing(args.to) as place:
    write(source, place, args.step)
    facts = {'bytes': place.stat().st_size, 'step': args.step}
    facts |= compare(source, config, place)
    print(json.dumps(facts), flush=True)
    check(facts)


if __name__ == '__main__':
  main()
