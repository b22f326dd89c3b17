"""Runs made from PCA of the digits and of a generated table: no training."""

import numpy as np
import pytest
import sklearn.datasets

from memae_jax import config as config_lib
from memae_jax.data import types
from memae_jax.evaluation.report import findings
from memae_jax.evaluation.results import measure, published, top_samples
from memae_jax.evaluation.scoring import scores
from memae_jax.methods import classical as baselines

VARIANTS = ('memae', 'nonspar', 'ae')
COMPONENTS = {'memae': 5, 'nonspar': 3, 'ae': 1}
COLUMNS = (
  types.Column('duration'),
  types.Column('protocol', ('icmp', 'tcp', 'udp')),
  types.Column('src_bytes'),
  types.Column('flag', ('OTH', 'REJ', 'S0', 'SF')),
  types.Column('rate'),
)


def _table(rng):
  """[S, 10] rows as `COLUMNS` has them, and labels of two classes."""
  labels = (rng.random(900) < 0.2).astype(np.int32)
  kind = rng.integers(0, 2, 900) + labels
  flag = np.where(labels == 1, rng.integers(0, 4, 900), 3)
  inputs = np.concatenate(
    [
      rng.exponential(10, (900, 1)),
      np.eye(3)[kind],
      np.exp(rng.normal(5 + labels, 1, 900))[:, None],
      np.eye(4)[flag],
      rng.random((900, 1)) + 0.3 * labels[:, None],
    ],
    axis=1,
  )
  return inputs.astype(np.float32), labels


def _rebuild(train, inputs, components):
  mean = train.mean(axis=0)
  base = np.linalg.svd(train - mean, full_matrices=False)[2][:components]
  return (inputs - mean) @ base.T @ base + mean


def _gallery(inputs, rebuilt, score, anomalous):
  order = np.argsort(score)
  normal, bad = order[~anomalous[order]], order[anomalous[order]]
  rows = np.r_[normal[:2], normal[-2:], bad[:2], bad[-2:]]
  kinds = ['normal', 'normal', 'anomalous', 'anomalous']
  ends = ['lowest score', 'highest score'] * 2
  titles = [f'{k}, {e}' for k, e in zip(kinds, ends) for _ in range(2)]
  image = lambda x: x[rows].reshape(-1, 8, 8, 1).astype(np.float32)
  return scores.Gallery(
    image(inputs), image(rebuilt), score[rows], anomalous[rows], tuple(titles)
  )


@pytest.fixture(scope='session')
def make_replica():
  """Returns a function that makes one ReplicaScores and its inputs."""
  digits = sklearn.datasets.load_digits()
  pixels = (digits.data / 16).astype(np.float32)

  def make(variant='memae', kind='image', normal_class=0, seed=0, slots=20):
    rng = np.random.default_rng(seed + 100 * normal_class)
    if kind == 'image':
      inputs, labels = pixels, digits.target
      fields = {'variant': variant, 'normal_class': normal_class, 'seed': seed}
      name = f'{variant}/class={normal_class}/seed={seed}'
    else:
      inputs, labels = _table(rng)
      fields = {'variant': variant, 'seed': seed}
      name = f'{variant}/seed={seed}'
      normal_class = 0
    rows = rng.permutation(len(inputs))
    normal = rows[labels[rows] == normal_class]
    cut = len(normal) * 2 // 3
    train, held = normal[: cut - 20], normal[cut - 20 : cut]
    bad = rows[labels[rows] != normal_class][: (len(normal) - cut) // 2]
    test = rng.permutation(np.r_[normal[cut:], bad])
    anomalous = labels[test] != normal_class
    rebuilt = _rebuild(inputs[train], inputs, COMPONENTS.get(variant, 3))
    scale = 1 / np.maximum(np.ptp(inputs[train], axis=0), 0.2)
    error = np.square((inputs - rebuilt) * scale).mean(axis=1)
    usage = rng.exponential(1, slots) ** 2
    usage[slots * 4 // 5 :] = 0
    decoded = rebuilt[rng.choice(train, slots)]
    memory = variant != 'ae'
    image = kind == 'image'
    shape = (slots, 8, 8, 1) if image else (slots, -1)
    replica = scores.ReplicaScores(
      name=name,
      fields={**fields, 'slots': slots} if memory else fields,
      score=error[test].astype(np.float32),
      anomalous=anomalous,
      sample=test,
      validation_score=error[held].astype(np.float32),
      kept=rng.integers(0, 6, len(test)) if memory else None,
      usage=usage.astype(np.float32) if memory else None,
      decoded_slots=decoded.reshape(shape) if memory else None,
      gallery=_gallery(inputs[test], rebuilt[test], error[test], anomalous)
      if image
      else None,
      step=1200,
    )
    return replica, inputs[train], inputs[test]

  return make


def _events(replicas):
  """Yields the events of a training log, with one value per replica."""
  rng = np.random.default_rng(0)
  memory = [r.usage is not None for r in replicas]
  for step in range(0, 1201, 50):
    fall = 0.05 + np.exp(-step / 250) * (1 + 0.2 * rng.random(len(replicas)))
    dead = [float(np.exp(-step / 100)) if m else None for m in memory]
    kept = [3 + step / 600 if m else None for m in memory]
    used = [float(min(16, 4 + step // 50)) if m else None for m in memory]
    yield {
      'step': step,
      'time': step / 10,
      'split': 'train',
      'loss': float(fall.mean()),
      'replicas': {
        'loss': fall.tolist(),
        'dead_read_rate': dead,
        'mean_kept': kept,
        'slots_used': used,
      },
    }
    yield {
      'step': step,
      'time': step / 10,
      'split': 'validation',
      'replicas': {'reconstruction': (1.1 * fall).tolist()},
    }


def _baselines(made):
  notes, kept = {}, []
  for name in ('random', 'pca', 'isolation_forest', 'ocsvm'):
    for replica, train, test in made:
      score, notes[name] = baselines.run(name, train, test)
      kept.append(
        replica._replace(
          score=score,
          validation_score=np.zeros(0),
          fields={**replica.fields, 'variant': name},
          usage=None,
        )
      )
  return kept, notes


@pytest.fixture(scope='session')
def make_run():
  """Returns a function: list of `make_replica` results -> render arguments."""

  def make(made, name='digits', paper_table='', with_baselines=True):
    replicas = [replica for replica, _, _ in made]
    notes, baseline_scores = {}, []
    if with_baselines:
      lead = [m for m in made if m[0].fields['variant'] == 'memae']
      baseline_scores, notes = _baselines(lead)
    config = config_lib.resolve(
      {
        'fleet': {'normal_classes': (0,)},
        'name': name,
        'eval': {'bootstrap': 20},
      }
    )
    memory = {
      r.name: {
        'slots': 20,
        'used': 16.0,
        'dead_read_rate': 0.12,
        'mean_kept': 3.4,
        'usage_perplexity': 9.1,
        'duplicate_slots': 1,
      }
      for r in replicas
      if r.usage is not None
    }
    sizes = [len(r.score) for r in replicas]
    results = {
      'name': name,
      'config': config.to_dict(),
      'dataset': {
        'name': name,
        'split': {
          'train': {'min': 1764, 'max': 1821},
          'validation': {'min': 12, 'max': 12},
          'test': {'min': min(sizes), 'max': max(sizes)},
        },
        'protocol': 'one_class',
        'description': '8x8 handwritten digits; one digit is normal, the'
        ' others are anomalous',
        'normal': 'the normal class of each replica',
        'num_samples': 1797,
        'num_dropped': 2,
        'dropped': [{'count': 2, 'why': 'not a number'}],
        'base_rate': 0.33,
        'labelled': True,
        'label_sha256': '4f' * 32,
        'data_sha256': 'a0' * 32,
        'remarks': [],
        'warnings': [],
        'trained_on': None,
        'notes': {
          'label_counts': {str(k): 1000 + k for k in range(28)},
          'constant_inputs': [],
          'test_rows_in_train': {'min': 1418, 'max': 1435},
        },
      },
      'checkpoint': {'step': 1200, 'of_steps': 1200, 'rule': 'last'},
      'score': {
        'name': 'mse',
        'definition': 'mean squared reconstruction error',
        'direction': 'higher is more anomalous',
        'normalisation': 'none',
      },
      'error_maps': None,
      **measure.measure(replicas, baseline_scores, memory, config.eval),
      'baseline_notes': notes,
      'paper': published.table(paper_table),
      'throughput': {'samples_per_second': 12345.6},
      'environment': {
        'versions': {'jax': '0.10.2'},
        'device': 'cpu',
        'commit': 'b3b7a54',
        'peak_memory': {
          'host_bytes': 3 * 2**29,
          'device_bytes': None,
          'device_reason': 'not counted',
        },
      },
    }
    results['highest'] = {
      'memae': {
        'network': 'memae/seed=0',
        'rows': [
          {'row': 1234, 'label': 'odd', 'score': 9.5, 'flagged': True},
          {'row': 7, 'label': 'fine', 'score': 8.25, 'flagged': None},
        ],
      }
    }
    source = types.Source(
      name, np.zeros((1797, 2)), np.zeros(1797, np.int32), ('all',)
    )
    results['flags'] = top_samples.flags(source, replicas, 0.95)
    results['warnings'] = findings.warnings(results)
    columns = () if replicas[0].gallery else COLUMNS
    return {
      'results': results,
      'replicas': replicas,
      'logs': [(list(_events(replicas)), replicas)],
      'source_columns': columns,
      'baseline_scores': baseline_scores,
    }

  return make


@pytest.fixture(scope='session')
def digits(make_replica, make_run):
  """Render arguments of a run of three variants on two classes of digits."""
  return make_run(
    [make_replica(v, 'image', c) for v in VARIANTS for c in (0, 8)]
  )
