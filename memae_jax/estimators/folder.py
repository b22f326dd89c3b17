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
_SAMPLES = ('samples.npz', 'samples.csv')
_WRITTEN = {_FACTS, _ARRAYS, *_SAMPLES, 'config.json', 'metrics.jsonl'}
_WRITTEN |= {'checkpoints', '.lock'}
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
  """Writes a fitted network as the folder of a run, all of it or nothing.

  Args:
    folder: does not exist yet, is empty, or is one that this wrote, to which
      nothing was added; it is replaced then.
    found: the network.
    described: facts of the estimator, as JSON.
    samples: whether its samples are written, if they are at hand.

  Raises:
    UserError: there is something else in the folder, or it cannot be written.
  """
  folder = folder.absolute()
  _check_free(folder)
  exp, state = found.built()
  config = config_lib.resolve(found.config)
  with atomic.replacing_folder(folder) as new:
    if samples and found.samples is not None:
      columns = described['feature_names_in']
      name = _write_samples(new, found.samples, columns)
      config = config_lib.changed(config, {'data.path': str(folder / name)})
    run_folder.store_config(new, config)
    atomic.write(new / 'metrics.jsonl', found.events.text())
    meta = found.meta | {'config': config.to_dict()}
    with run_folder.opened(exp, new, read_only=False) as checkpoints:
      checkpoints.save(found.step, state, meta)
    near = np.zeros((0, 0), int) if found.near is None else found.near
    content = io.BytesIO()
    np.savez(content, normal=found.normal, near=near)
    atomic.write(new / _ARRAYS, content.getvalue())
    facts = described | {'parts': strict_json.plain(found.parts)}
    atomic.write(new / _FACTS, strict_json.text(facts))


def _check_free(folder: pathlib.Path) -> None:
  """Raises UserError unless a folder may be written, see `save`."""
  if not folder.exists():
    return
  if not folder.is_dir():
    raise errors.UserError(f'{folder} is a file; give a new folder')
  names = {path.name for path in folder.iterdir()}
  others = names - _WRITTEN if is_saved(folder) else names
  if others:
    raise errors.UserError(
      f'{folder} is not empty: save() did not write "{min(others)}"; give a new'
      ' folder'
    )


def _write_samples(
  folder: pathlib.Path, samples: np.ndarray, names: list[str] | None
) -> str:
  """Writes samples so that the data set "arrays" reads the same ones.

  Returns:
    The name of their file.
  """
  if names is None:
    content = io.BytesIO()
    np.savez(content, inputs=samples)
    atomic.write(folder / _SAMPLES[0], content.getvalue())
    return _SAMPLES[0]
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerow(names)
  writer.writerows(samples.tolist())
  atomic.write(folder / _SAMPLES[1], text.getvalue())
  return _SAMPLES[1]


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
