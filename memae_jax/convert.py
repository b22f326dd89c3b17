"""Converter of the released PyTorch weights to a run, and of a run to weights.

python -m memae_jax.convert released.pt --workdir=runs/released
python -m memae_jax.convert runs/ped2 --to=memae.pt --replica=memae

Weights do not say what the run is evaluated on and how the memory is read. The
config does: --config, by default ped2:recipe=released.
"""

import hashlib
import io
import logging
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from absl import flags
from ml_collections import config_flags

from memae_jax import cli
from memae_jax import config as config_lib
from memae_jax.config import config_file, packaged
from memae_jax.evaluation.scoring import collect
from memae_jax.methods import registry
from memae_jax.models import reference_weights
from memae_jax.runtime import atomic, errors, foreign, locks, parallel, paths
from memae_jax.training import experiment, run_folder, step

_LOG = logging.getLogger(__name__)
_DEFAULT = 'ped2', 'recipe=released'  # A config of the package, and its word.

# Values of fields of `model` that the names of the released network imply.
_NETWORK = {
  'network': 'conv',
  'layout': 'strided',
  'activation': 'leaky_relu',
  'batch_norm': True,
  'output_activation': 'none',
}
# Values of fields of `model.memory` by which the released code reads it.
_READ = {'similarity': 'dot', 'temperature': 1.0, 'on_empty': 'zero'}


def _torch():
  """Imports PyTorch; raises UserError where it is missing."""
  try:
    import torch
  except ImportError as error:
    raise errors.UserError(
      "PyTorch is missing; pip install 'memae_jax[convert]'"
    ) from error
  return torch


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
  """Reads a file of PyTorch weights, whatever device they were saved from.

  Args:
    path: file of a state dict, or of a dict that holds one as "state_dict".
      Names may start with "module.", as `DataParallel` saves them.

  Returns:
    float32 arrays by name.

  Raises:
    UserError: PyTorch or the file is missing, or the file holds something else.
  """
  torch = _torch()
  if not path.is_file():
    raise errors.UserError(
      f'{path} is not a file; give a file of PyTorch weights'
    )
  try:
    if zipfile.is_zipfile(path):  # PyTorch does not check the checksums.
      with zipfile.ZipFile(path) as archive:
        if torn := archive.testzip():
          raise ValueError(f'the checksum of {torn} is wrong')
    stored = torch.load(path, weights_only=True, map_location='cpu')
    if isinstance(stored, Mapping):
      stored = stored.get('state_dict', stored)
    is_state = isinstance(stored, Mapping) and all(
      isinstance(name, str) and isinstance(value, torch.Tensor)
      for name, value in stored.items()
    )
    if is_state:
      return {
        name.removeprefix('module.'): value.detach().float().numpy()
        for name, value in stored.items()
      }
  except Exception as error:  # Damaged and foreign files raise many kinds.
    raise errors.UserError(
      f'{path} is damaged or holds more than weights'
      f' ({foreign.reason(error)}); give a file that'
      ' torch.save(model.state_dict(), ...) wrote'
    ) from error
  raise errors.UserError(
    f'{path} holds no state dict; give a file that'
    ' torch.save(model.state_dict(), ...) wrote'
  )


def _check_network(config: Any, has_memory: bool) -> None:
  """Raises UserError if the released network has other layers.

  Args:
    config: resolved.
    has_memory: whether the network has a memory; other ways to read it are
      only a warning.
  """
  for field, value in _NETWORK.items():
    if config.model[field] != value:
      raise errors.UserError(
        f'config field "model.{field}" is {config.model[field]!r}, but the'
        f' released network has {value!r}; only the video network of'
        f' configs/{_DEFAULT[0]}.py, at any widths, has its names'
      )
  memory = config.model.memory
  differ = [f'{k} {memory[k]}' for k in _READ if memory[k] != _READ[k]]
  if has_memory and differ:
    _LOG.warning(
      'the config reads the memory with %s, the released code with %s',
      ', '.join(differ),
      ', '.join(f'{key} {value}' for key, value in _READ.items()),
    )


def to_run(path: pathlib.Path, workdir: pathlib.Path, base: Any) -> None:
  """Stores PyTorch weights as step 0 of a new run of one replica.

  Args:
    path: file of the weights, which decide the variant, `memae` or `ae`.
    workdir: folder of the run.
    base: a config, of which the seeds, the variant and the checkpoint rule are
      replaced.

  Raises:
    UserError: the weights do not fit the config, the data are missing, or the
      run has checkpoints.
  """
  if run_folder.has_checkpoints(workdir):
    raise errors.UserError(
      f'{workdir} has checkpoints already; give another --workdir'
    )
  weights = read(path)
  has_memory = reference_weights.MEMORY in weights
  values = config_lib.resolve(base).to_dict()
  values['fleet'] |= {
    'seeds': 1,
    'variants': ('memae' if has_memory else 'ae',),
  }
  values['eval']['checkpoint'] = 'last'
  config = config_lib.resolve(values)
  _check_network(config, has_memory)
  exp = experiment.build(config)
  if len(exp.replicas) != 1:
    names = ', '.join(replica.name for replica in exp.replicas)
    raise errors.UserError(
      f'a file holds one network, but the config asks for {names}; leave the'
      ' axes of "fleet" empty'
    )
  like = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype),
    step.weights(exp.programs.init_shapes).variables,
  )
  try:
    variables = reference_weights.from_reference(weights, like)
  except errors.UserError as error:
    raise errors.UserError(f'{path}: {error}') from error
  parts = step.split(variables)
  state = step.ReplicaState(
    *parts, opt_state=exp.trainer.optimizer.init(parts.params), best=None
  )
  state = jax.tree.map(lambda x: np.asarray(x)[None], state)
  state = parallel.place(state, exp.mesh, parallel.BY_REPLICA)
  digest = hashlib.sha256(path.read_bytes()).hexdigest()
  # Nothing else is known about the training.
  origin = {'weights': f'converted from {path.name}', 'sha256': digest}
  with locks.exclusive(workdir / '.lock', 'training'):
    run_folder.check_workdir(workdir)
    run_folder.store_config(workdir, config)
    with run_folder.opened(exp, workdir, read_only=False) as checkpoints:
      checkpoints.save(0, state, exp.meta | {'environment': origin})
  print(
    f'{path} is now the run {workdir}; evaluate it with'
    f' python -m memae_jax.main --mode=eval --workdir={workdir}'
  )


def to_file(run: pathlib.Path, path: pathlib.Path, name: str = '') -> None:
  """Writes one replica of a run as a PyTorch state dict.

  Args:
    run: folder of the run, of which the weights are taken that evaluation
      takes.
    path: of the file.
    name: of the replica; '': the first one.

  Raises:
    UserError: there is no such run or replica, or the released network cannot
      hold it.
  """
  torch = _torch()
  exp, index = experiment.build(config_lib.load(run / 'config.json')).find(name)
  replica = exp.replicas[index]
  if not registry.find(replica.variant).released:
    names = [other.name for other in exp.replicas]
    raise errors.UserError(
      f'replica "{replica.name}" has parts that the released network lacks;'
      f' give --replica with another of {", ".join(names)}'
    )
  _check_network(exp.config, replica.has_memory)
  _, weights, _ = collect.restored(exp, run)
  _, variables = exp.trainer.method.alone(
    replica, exp.programs.one(weights, index).variables
  )
  parts = ('encoder', 'decoder', 'bank')[: 3 if replica.has_memory else 2]
  kept = {part: variables['params'][part] for part in parts}
  arrays = reference_weights.to_reference(variables | {'params': kept})
  content = io.BytesIO()
  torch.save({k: torch.tensor(v) for k, v in arrays.items()}, content)
  atomic.write(path, content.getvalue())
  print(f'replica "{replica.name}" of {run} is in {path}')


def run(*words: str) -> None:
  """Converts what the flags describe."""
  options = flags.FLAGS
  if len(words) != 1 or bool(options.workdir) == bool(options.to):
    raise errors.UserError(
      'give PyTorch weights and --workdir=RUN to turn them into a run, or the'
      ' folder of a run and --to=FILE to write its weights'
    )
  source = paths.local(words[0], 'the input')
  if options.to:
    to_file(source, paths.local(options.to, '--to'), options.replica)
    return
  config = options.config
  if config is None:
    name, argument = _DEFAULT
    config = config_file.called(packaged.files()[name], argument, 'get_config')
  to_run(source, paths.local(options.workdir, '--workdir'), config)


if __name__ == '__main__':
  config_flags.DEFINE_config_file(
    'config',
    None,
    f'Config by which the run is evaluated. Default: {":".join(_DEFAULT)}.',
  )
  flags.DEFINE_string('workdir', '', 'Folder of the run to make.')
  flags.DEFINE_string('to', '', 'PyTorch file to write from a run.')
  flags.DEFINE_string(
    'replica', '', 'Name of a replica of the run; default: the first.'
  )
  cli.main(run, arguments=1)
