"""Runs as an evaluation leaves them, without a network."""

import io
import json

import numpy as np

from memae_jax import config as config_lib
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.results import measure
from memae_jax.evaluation.scoring import scores
from memae_jax.runtime import atomic
from tests import helpers


def replica(variant, seed, is_video=False, slots=9):
  """Scores of one replica, of 24 images or of the frames of two videos."""
  rng = np.random.default_rng(seed)
  anomalous = np.tile([False, True, False, False], 6)
  score = (rng.random(24) + anomalous).astype(np.float32)
  frames = frames_lib.FrameScores(
    score,
    anomalous,
    np.repeat([0, 1], 12),
    np.tile(np.arange(2, 14), 2),
    ('a', 'b'),
    (16, 16),
  )
  return scores.ReplicaScores(
    name=f'{variant}/slots={slots}/seed={seed}',
    fields={'variant': variant, 'seed': seed, 'slots': slots, 'threshold': 1.0,
            'alpha': 2e-4, 'learning_rate': 1e-4},
    score=score,
    anomalous=anomalous,
    sample=np.arange(24, dtype=np.int32),
    validation_score=score[:5],
    frames=frames if is_video else None,
    step=7,
  )  # fmt: skip


def write(folder, is_video=False, networks=(), **changes):
  """Writes a run as an evaluation leaves it, without a network.

  Args:
    folder: of the run.
    is_video: its samples are frames.
    networks: its replicas; by default two of MemAE and two of AE.
    **changes: of the config.
  """
  networks = networks or [
    replica(v, s, is_video) for v in ('memae', 'ae') for s in (0, 1)
  ]
  config = helpers.digits(**changes)
  memory = {
    r.name: {'slots': 9, 'used': 7.0, 'dead_read_rate': 0.1, 'mean_kept': 2.0}
    for r in networks
    if r.fields['variant'] == 'memae'
  }
  results = {
    'config': config.to_dict(),
    'dataset': {'data_sha256': 'a1', 'label_sha256': 'b2'},
    'score': {'name': 'mse'},
    'checkpoint': {'step': 7, 'of_steps': 7},
    **measure.measure(networks, networks[2:], memory, config.eval),
    'paper': None,
    'throughput': {'training_seconds': 1.5},
    'environment': {'device': 'cpu', 'peak_memory': {'host_bytes': 5}},
  }
  arrays = {
    f'{r.name}/{part}': getattr(r, part)
    for r in networks
    for part in ('score', 'anomalous', 'sample', 'validation_score')
  }
  buffer = io.BytesIO()
  np.savez_compressed(buffer, **arrays)
  atomic.write(folder / 'eval/7/scores.npz', buffer.getvalue())
  atomic.write(folder / 'results.json', json.dumps(results))
  atomic.write(folder / 'config.json', config_lib.to_json(config))
  return results


def events():
  """Lines of a training log: two splits of twelve steps, four replicas."""
  return [
    {'step': step, 'time': 100.0 + step, 'split': split, 'loss': 1 / (step + 1),
     'replicas': {'loss': [1.0, None, 0.5, 0.25]}}
    for step in range(12) for split in ('train', 'validation')
  ]  # fmt: skip
