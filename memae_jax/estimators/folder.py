"""Folder of a fitted estimator: that of a run, and what only Python needs."""

import csv
import io
import pathlib
from typing import Any

import flax.serialization
import numpy as np

from memae_jax import config as config_lib
from memae_jax.data.tables import npz
from memae_jax.estimators import fitted
from memae_jax.evaluation.scoring import combined
from memae_jax.runtime import atomic, errors, metrics_log, strict_json
from memae_jax.training import checkpoint, run_folder

_FACTS, _ARRAYS = 'estimator.json', 'estimator.npz'
_SHAPE = {  # Of estimator.json.
  'parameters': {str: object},
  'offset': float,
  'n_features_in': int,
  'feature_names_in': strict_json.Maybe([str]),
  'parts': [[object]],
}


def save(
  folder: pathlib.Path,
  found: fitted.Fitted,
  described: dict[str, Any],
  samples: bool,
) -> None:
  """Writes a fitted network as the folder of a run.

  Args:
    folder: does not exist yet, or is empty.
    found: the network.
    described: facts of the estimator, as JSON.
    samples: whether its samples are written, if they are at hand.

  Raises:
    UserError: there is something in the folder, or it cannot be written.
  """
  if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
    raise errors.UserError(f'{folder} is not empty; give a new folder')
  folder.mkdir(parents=True, exist_ok=True)
  exp, state = found.built()
  config = config_lib.resolve(found.config)
  if samples and found.samples is not None:
    path = _write_samples(folder, found.samples, described['feature_names_in'])
    config = config_lib.changed(config, {'data.path': str(path.absolute())})
  run_folder.store_config(folder, config)
  atomic.write(folder / 'metrics.jsonl', found.events.text())
  meta = found.meta | {'config': config.to_dict()}
  with run_folder.opened(exp, folder, read_only=False) as checkpoints:
    checkpoints.save(found.step, state, meta)
  near = np.zeros((0, 0), int) if found.near is None else found.near
  content = io.BytesIO()
  np.savez(content, normal=found.normal, near=near)
  atomic.write(folder / _ARRAYS, content.getvalue())
  facts = described | {'parts': strict_json.plain(found.parts)}
  atomic.write(folder / _FACTS, strict_json.text(facts))


def _write_samples(
  folder: pathlib.Path, samples: np.ndarray, names: list[str] | None
) -> pathlib.Path:
  """Writes samples so that the data set "arrays" reads the same ones."""
  if names is None:
    content = io.BytesIO()
    np.savez(content, inputs=samples)
    path = folder / 'samples.npz'
    atomic.write(path, content.getvalue())
    return path
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerow(names)
  writer.writerows(samples.tolist())
  path = folder / 'samples.csv'
  atomic.write(path, text.getvalue())
  return path


def is_saved(folder: pathlib.Path) -> bool:
  """Returns whether a folder is one that `save` wrote."""
  return (folder / _FACTS).is_file()


def load(folder: pathlib.Path) -> tuple[fitted.Fitted, dict[str, Any]]:
  """Reads a folder that `save` wrote.

  Returns:
    The network, and the facts of the estimator.

  Raises:
    UserError: it is no such folder, or damaged.
  """
  if not is_saved(folder):
    mend = 'give a folder that save() wrote'
    if (folder / 'config.json').is_file():
      mend = 'it is a run of the command, so use from_run()'
    raise errors.UserError(f'{folder} has no {_FACTS}; {mend}')
  described = strict_json.load(
    folder / _FACTS, _SHAPE, 'file of an estimator', 'save it again'
  )
  config = config_lib.load(folder / 'config.json').to_dict()
  with checkpoint.Checkpoints(folder, read_only=True) as checkpoints:
    at = max(checkpoints.steps(), default=None)
    if at is None:
      raise errors.UserError(f'{folder} has no checkpoint; save it again')
    out = fitted.Fitted(config, checkpoints.meta(at), {}, at)
  exp = fitted.without_data(out.config, out.meta)
  with run_folder.opened(exp, folder) as checkpoints:
    state = checkpoints.restore(at, exp.programs.init_shapes)
  out.state = flax.serialization.to_state_dict(exp.programs.to_host(state))
  arrays = npz.arrays(folder / _ARRAYS)
  out.normal = arrays['normal']
  out.near = arrays['near'] if arrays['near'].size else None
  out.parts = tuple(combined.Part(*part) for part in described['parts'])
  events = metrics_log.read_events(folder / 'metrics.jsonl')
  out.events = metrics_log.Events(events)
  return out, described
