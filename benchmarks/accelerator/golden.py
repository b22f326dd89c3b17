"""Parity with PyTorch on this device, by the numbers of tests/golden."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import common
from configs import ped2
from memae_jax import config as config_lib
from memae_jax import memory
from memae_jax.memory import addressing
from memae_jax.models import memae, reference_weights
from memae_jax.training import fleet, step

SLOTS, LAMBDA, RATE = 60, 0.01, 1e-4
# Allowed errors in float32, relative to the largest number of an array.
VALUE, GRADIENT, NETWORK = 1e-5, 1e-4, 1e-4


def weights(like: Any, dtype: Any) -> dict[str, Any]:
  """Returns variables by the formula of the golden numbers.

  Args:
    like: `params` and `batch_stats` as shapes.
    dtype: of the variables.
  """
  zeros = jax.tree.map(lambda x: np.zeros(x.shape), like)
  variables = {}
  for j, (name, array) in enumerate(
    reference_weights.to_reference(zeros).items()
  ):
    t = np.sin(0.7310585 * np.arange(array.size) + j).reshape(array.shape)
    if name.endswith('num_batches_tracked'):
      continue
    if name.endswith('running_var'):
      t = 1 + 0.5 * t
    elif name.endswith('running_mean'):
      t = 0.1 * t
    elif name == reference_weights.MEMORY:
      t = 0.5 * t
    elif name.endswith('bias'):
      t = 0.05 * t
    elif t.ndim == 1:
      t = 1 + 0.2 * t
    elif name.startswith('encoder'):
      t = t * np.sqrt(2 / (27 * t.shape[1]))
    else:
      taps = 8 if t.shape[1] > 1 else 4
      t = t * np.sqrt(2 / (27 * t.shape[0] / taps))
    variables[name] = t
  like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, dtype), like)
  return reference_weights.from_reference(variables, like)


def cases(path: pathlib.Path, most: int) -> list[dict[str, np.ndarray]]:
  """Returns the first cases of addressing.npz, at most `most`."""
  with np.load(path) as file:
    return [
      {
        key.removeprefix(f'case{i}_'): file[key]
        for key in file.files
        if key.startswith(f'case{i}_')
      }
      for i in range(min(int(file['num_cases']), most))
    ]


def by_formula(seed: int = 0) -> list[dict[str, np.ndarray]]:
  """Returns cases without gradients, by the formulas in NumPy's float64."""
  rng, out = np.random.default_rng(seed), []
  for slots, similarity in ((50, 'dot'), (2000, 'dot'), (2000, 'cosine')):
    query, stored = rng.normal(size=(64, 32)), rng.normal(size=(slots, 32))
    score = query @ stored.T
    if similarity == 'cosine':
      length = lambda x: np.linalg.norm(x, axis=1)
      score /= length(query)[:, None] * length(stored)
    soft = np.exp(score - score.max(axis=1, keepdims=True))
    soft /= soft.sum(axis=1, keepdims=True)
    kept = np.where(soft > 1 / slots, soft, 0)
    kept /= kept.sum(axis=1, keepdims=True)
    log = np.log(np.where(kept > 0, kept, 1))
    out.append(
      {
        'query': query,
        'memory': stored,
        'threshold': np.float64(1 / slots),
        'similarity': np.str_(similarity),
        'value': kept @ stored,
        'entropy': -(kept * log).sum(axis=1),
      }
    )
  return out


def _error(actual: Any, expected: np.ndarray) -> float:
  """Returns the largest error, relative to the largest expected number."""
  scale = max(np.max(np.abs(expected)), 1e-3)
  actual = np.asarray(actual, np.float64)
  return float(np.max(np.abs(actual - expected)) / scale)


def _judged(errors: dict[str, float], allowed: dict[str, float]) -> dict:
  """Returns a row with errors, allowed errors, and whether all are allowed."""
  passed = all(error <= allowed[name] for name, error in errors.items())
  return {'relative_error': errors, 'allowed': allowed, 'passed': passed}


def addressing_of(
  examples: list[Mapping[str, np.ndarray]], kind: str
) -> dict[str, Any]:
  """Returns the largest errors of a read over all cases.

  Args:
    examples: from `cases` or `by_formula`.
    kind: dense, streaming or top_k (of all slots).
  """
  errors: dict[str, float] = {}
  for case in examples:
    arrays = [jnp.asarray(case[n], jnp.float32) for n in ('query', 'memory')]
    function = _read(case, kind)
    outputs = jax.device_get(jax.jit(function)(*arrays))
    for name, array in outputs.items():
      if name in case:
        error = _error(array, case[name])
        errors[name] = max(errors.get(name, 0.0), error)
  allowed = {n: GRADIENT if 'grad' in n else VALUE for n in errors}
  return {'cases': len(examples), **_judged(errors, allowed)}


def _read(case: Mapping[str, np.ndarray], kind: str) -> Callable[..., Any]:
  """Returns a function of (query, slots): outputs of a read by name.

  They are value, entropy and, where the case has them, gradients.
  """
  threshold = float(case['threshold'])
  options = memory.ReadOptions(
    similarity=str(case['similarity']),
    kind=kind,
    k=len(case['memory']) if kind == 'top_k' else None,
  )

  def read(query, slots) -> addressing.MemoryRead:
    return memory.read(query, slots, threshold, options)

  def objective(query, slots):
    out = read(query, slots)
    cotangent = jnp.asarray(case['value_cotangent'], jnp.float32)
    entropy = jnp.float32(case['entropy_cotangent']) * jnp.sum(out.entropy)
    return jnp.sum(out.value * cotangent) + entropy, out

  def outputs(query, slots):
    if kind == 'top_k' or 'value_cotangent' not in case:
      out, grads = read(query, slots), {}
    else:
      (_, out), both = jax.value_and_grad(objective, (0, 1), has_aux=True)(
        query, slots
      )
      grads = dict(zip(('grad_query', 'grad_memory'), both))
    return {'value': out.value, 'entropy': out.entropy, **grads}

  return outputs


def _network(x: np.ndarray, dtype: Any):
  """Returns trainer, hyper-parameters and state of the golden network."""
  config = ped2.get_config(f'recipe=released,slots={SLOTS}')
  config.model.memory.shrink_gradient = 'published'
  config = config_lib.resolve(config)
  member = fleet.Replica(
    'golden', 'memae', 0, None, SLOTS, LAMBDA * SLOTS, 2e-4, RATE
  )
  trainer = common.trainer(config, x.shape[1:], [member], 1)
  model = memae.build(config.model, x.shape[1:], SLOTS, dtype=dtype)
  method = dataclasses.replace(trainer.method, model=model)
  trainer = trainer._replace(method=method, batch_size=len(x))
  hyper = fleet.hyper([member], config, method)
  hyper = jax.tree.map(lambda a: a[0], hyper)
  shapes = jax.eval_shape(trainer.init, hyper, jnp.zeros((1, *x.shape[1:])))
  variables = weights(step.weights(shapes).variables, dtype)
  adam = trainer.optimizer.init(variables['params'])
  state = step.ReplicaState(*step.split(variables), adam, best=None)
  return trainer, hyper, state


def _load(path: pathlib.Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
  with np.load(path) as file:
    golden = dict(file)
  return golden, np.moveaxis(golden['input'], 1, -1)


def evaluation(path: pathlib.Path) -> dict[str, Any]:
  """Returns the errors of outputs of the video network, in float32.

  Args:
    path: of video.npz.
  """
  golden, x = _load(path)
  x = jnp.asarray(x, jnp.float32)
  trainer, hyper, state = _network(x, jnp.float32)
  out = jax.jit(trainer.method.model.apply)(
    step.weights(state).variables, x, hyper.method.knobs
  )
  last = lambda name: np.moveaxis(golden[name], 1, -1)
  errors = {
    'code': _error(out.code, last('eval_encoding')),
    'entropy': _error(out.read.entropy, golden['eval_entropy']),
    'reconstruction': _error(out.reconstruction, last('eval_recon')),
    'queries_that_keep_other_slots': float(
      np.mean(np.asarray(out.read.kept) != golden['eval_kept'])
    ),
  }
  allowed = dict.fromkeys(errors, NETWORK)
  return _judged(errors, allowed | {'queries_that_keep_other_slots': 0.0})


def training(path: pathlib.Path, double: bool) -> dict[str, Any]:
  """Returns the errors of the losses of two steps, and of gradients.

  Args:
    path: of video.npz.
    double: whether to compute in float64. In float32 the gradients of the
      encoder are ill-conditioned, and are left out.
  """
  golden, x = _load(path)
  dtype = jnp.float64 if double else jnp.float32
  with jax.enable_x64(double):
    x = jnp.asarray(x, dtype)
    trainer, hyper, state = _network(x, dtype)
    train = jax.jit(trainer.step)
    after, first = train(state, hyper, x, 0)
    _, second = train(after, hyper, x, 1)
    after, losses = jax.device_get((after, (first.loss, second.loss)))
  errors = {
    'loss': _error(losses[0], golden['train_loss']),
    'loss_after_a_step': _error(
      losses[1], golden['train_loss_after_one_adam_step']
    ),
  }
  if double:
    # After one step the first moment of Adam is a tenth of the gradient.
    grads = jax.tree.map(lambda m: m / (1 - 0.9), after.opt_state[0].mu)
    grads = reference_weights.to_reference({'params': grads})
    norms = {name: golden[f'gradnorm/{name}'] for name in grads}
    largest = max(norms.values())
    errors['gradient_norms'] = max(
      abs(float(np.linalg.norm(grads[name]) - norm) / float(largest))
      for name, norm in norms.items()
    )
  return _judged(errors, dict.fromkeys(errors, 1e-6 if double else NETWORK))
