"""Small experiments for the tests, and a way to run the command line."""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from absl import flags

from memae_jax import cli, main
from memae_jax import config as config_lib
from memae_jax.evaluation.metrics import frames

ROOT = pathlib.Path(__file__).resolve().parents[1]
GOLDEN = ROOT / 'tests/golden'  # Numbers of PyTorch, see its README.
STARTED: list[subprocess.Popen] = []  # What a test leaves running is ended.
# Names of folders with characters that some library takes as its own.
ODD_NAMES = [
  'widths=[64,32]',
  'a[b',
  'back\\slash',
  'all*of?them',
  'all**of',
  'gs:',
  'new\nline',
  'latin\udce9',
  'not latin é',
  '{a} "b" \'c\' $HOME ;&|<>',
]
_OF_PROCESSES = 'coordinator', 'processes', 'process', 'heartbeat'


def digits(**changes) -> ml_collections.FrozenConfigDict:
  """Two classes of digits, seconds on a CPU; `changes` are dotted fields."""
  config = config_lib.default()
  config.name = 'test'
  config.fleet.normal_classes = (0, 1)
  config.model.widths = (16,)
  config.model.code = 8
  config.model.memory.slots = 10
  config.train.batch_size = 16
  config.train.epochs = 3.0
  config.train.learning_rate = 1e-3
  config.train.log_every = 4
  config.train.validate_every = 8
  config.train.checkpoint_every = 8
  config.eval.baselines = ()
  config.eval.bootstrap = 0
  config.eval.odd_inputs = config.eval.embedding = False
  config_lib.assign(config, changes)
  return config_lib.resolve(config)


def clips(**changes) -> ml_collections.FrozenConfigDict:
  """The released network on generated clips, at widths for a CPU."""
  fields = {
    'data.name': 'moving_shapes',
    'data.image_size': 32,
    'data.image_width': 48,
    'data.protocol': 'given',
    'fleet.normal_classes': (),
    'model.network': 'conv',
    'model.code': 3,
    'model.widths': (4, 6, 8, 10),
    'model.time_strides': (1, 2, 2, 2),
    'model.activation': 'leaky_relu',
    'model.batch_norm': True,
    'model.memory.per_position': True,
    'model.memory.similarity': 'dot',
    'model.memory.slots': 60,
    'model.memory.threshold': 0.6,
  }
  return digits(**fields | changes)


def frame_scores(score, lengths=None, rates=(), anomalous=None, dtype=float):
  """Scored frames of videos of some lengths, of 2 frames per second."""
  lengths = lengths or [len(score)]
  none = np.zeros(len(score), bool)
  return frames.FrameScores(
    score=np.array(score, dtype),
    anomalous=none if anomalous is None else np.array(anomalous, bool),
    video=np.repeat(np.arange(len(lengths)), lengths),
    frame=np.concatenate([np.arange(n) for n in lengths]),
    names=[f'v{i}' for i in range(len(lengths))],
    lengths=lengths,
    rates=rates or [2.0] * len(lengths),
  )


def run(*argv: str) -> tuple[int, str, str]:
  """Runs the command line in this process: (exit code, stdout, stderr)."""
  flags.FLAGS.unparse_flags()
  for name in [n for n in flags.FLAGS if n.startswith('config.')]:
    delattr(flags.FLAGS, name)  # Overrides that an earlier run defined.
  names = 'config', 'workdir', 'mode', 'steps', 'watch', 'topology', 'limits'
  names += ('results',)
  for name in (*names, *_OF_PROCESSES):
    flags.FLAGS[name].unparse()
  out, err = io.StringIO(), io.StringIO()
  code, before = 0, sys.argv
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    try:
      sys.argv = ['memae_jax.main', *argv]  # Where ml_collections looks too.
      cli.parse(sys.argv)
      cli.guarded(main.run)
    except SystemExit as stop:
      code = stop.code or 0
  sys.argv = before
  flags.FLAGS.mark_as_parsed()
  return code, out.getvalue(), err.getvalue()


def start(
  *argv: str,
  devices: int = 1,
  module: str = 'memae_jax.main',
  variables: Mapping[str, str] | None = None,
  **options,
) -> subprocess.Popen:
  """Starts a command line as a process of its own."""
  environment = dict(os.environ, JAX_PLATFORMS='cpu', PYTHONPATH=str(ROOT))
  environment['JAX_NUM_CPU_DEVICES'] = str(devices)
  environment |= variables or {}
  process = subprocess.Popen(
    [sys.executable, '-m', module, *argv],
    cwd=ROOT,
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    **options,
  )
  STARTED.append(process)
  return process


def take(tree, index: int):
  """Replica `index` of a tree of [R, ...] leaves."""
  return jax.tree.map(lambda x: jnp.asarray(np.asarray(x)[index]), tree)


def write_config(path: pathlib.Path, config) -> str:
  """Writes a config file that holds `config`; returns its path as text."""
  text = json.dumps(config_lib.to_json(config))
  path.write_text(
    'import json\n\nimport ml_collections\n\n\ndef get_config():\n'
    f'  return ml_collections.ConfigDict(json.loads({text}))\n'
  )
  return str(path)


def write_csv(path, change=lambda rows: rows):
  """Writes 120 labelled rows: two numbers and a category."""
  rng = np.random.default_rng(0)
  rows = [['size', 'weight', 'kind', 'label']] + [
      [f'{rng.normal():.3f}', f'{rng.normal():.3f}', 'ab'[i % 2],
       'good' if i % 5 else 'bad']
      for i in range(120)
  ]  # fmt: skip
  rows = change(rows)
  path.write_text('\n'.join(','.join(row) for row in rows) + '\n')
  return path
