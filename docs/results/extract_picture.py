"""Makes the data of the picture of digits from a run of configs/digits.py.

python docs/results/extract_picture.py runs/digits

The networks are those of class 0 and seed 0. Pictured are the zeros of the
test set with the lowest, the median and the highest score of MemAE, and the
first test image of each other class.
"""

import argparse
import json
import pathlib
from typing import Any

import draw
import extract
import numpy as np

from memae_jax.evaluation import jobs
from memae_jax.evaluation.report import wording
from memae_jax.evaluation.scoring import collect
from memae_jax.training import experiment, same

_VARIANTS = 'memae', 'ae'
_BYTE = 255
_DIGITS = 5  # Of a score.


def extract_picture(run: pathlib.Path) -> dict[str, Any]:
  """Returns the data file.

  Args:
    run: directory of the run, with its checkpoints and its results.json.
  """
  results = json.loads((run / 'results.json').read_text())
  exp = experiment.build(same.there(jobs.origin(run), run))
  _, weights, _ = collect.restored(exp, run)
  rows = [split.test for split in exp.splits]
  scored = exp.programs.score(weights, rows, ('output',))
  limits = [c.threshold for c in collect.calibrations(exp, weights)]
  replicas = {
    r.variant: i
    for i, r in enumerate(exp.replicas)
    if (r.normal_class, r.seed) == (0, 0) and r.variant in _VARIANTS
  }
  first = replicas[_VARIANTS[0]]
  split = exp.splits[first]
  score = {
    name: scored.scores[exp.rule][i][: len(split.test)]
    for name, i in replicas.items()
  }
  pictured = _pictured(
    exp.source.labels[split.test], split.anomalous, score[_VARIANTS[0]]
  )
  test = split.test[pictured]
  to_bytes = lambda x: _to_bytes(np.asarray(x)[pictured], split.transform)
  plain = lambda values: np.asarray(values, float).round(_DIGITS).tolist()
  return {
    'source': 'extracted from a run by `extract_picture.py`',
    'commit': results['environment']['training']['commit'],
    'shown': {
      'label': [exp.source.label_names[k] for k in exp.source.labels[test]],
      'anomalous': split.anomalous[pictured].tolist(),
      'input': exp.source.inputs[test][..., 0].tolist(),
      'reconstruction': {
        wording.label(name): to_bytes(scored.output[i])
        for name, i in replicas.items()
      },
      'score': {
        wording.label(name): plain(values[pictured])
        for name, values in score.items()
      },
    },
    'anomalous': split.anomalous.tolist(),
    'scores': {
      wording.label(name): {
        'threshold': plain(limits[i]),
        'score': plain(score[name]),
      }
      for name, i in replicas.items()
    },
  }


def _pictured(labels, anomalous, score) -> np.ndarray:
  """Returns which test samples are pictured: normals, then anomalies."""
  normal = np.flatnonzero(~anomalous)
  normal = normal[np.argsort(score[normal])]
  _, first = np.unique(labels[anomalous], return_index=True)
  few = normal[[0, len(normal) // 2, -1]]
  return np.concatenate([few, np.flatnonzero(anomalous)[first]])


def _to_bytes(x: np.ndarray, transform) -> list:
  """Returns model inputs [K, H, W, 1] as levels from 0 to 255."""
  raw = np.divide(x - transform.shift, transform.scale)
  return raw.clip(0, _BYTE).round().astype(int)[..., 0].tolist()


def main() -> None:
  """Reads the command line."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('run', type=pathlib.Path, help='directory of the run')
  run = parser.parse_args().run
  print(extract.write(draw.PICTURED, extract_picture(run)))


if __name__ == '__main__':
  main()
