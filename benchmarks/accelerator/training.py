"""Stages 4 and 5: trainings by the command line, as users run it.

Both run `memae_jax.main` as a process of its own. When the time is over,
SIGTERM asks it to save its state and to end.
"""

import json
import pathlib
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from benchmarks import pack_ped2
from benchmarks.accelerator import machine as machine_lib
from benchmarks.accelerator import measuring, stages
from memae_jax.runtime import atomic, errors

PART = 16 * 2**20 - 2**16  # Most bytes of a part of the archive.
PARTS = 3  # Most parts.
ARCHIVE = 'ped2_runs.zip'
PACKS = 'ped2.zip', 'ped2.pack'
_DETERMINISTIC = {'XLA_FLAGS': '--xla_gpu_deterministic_ops=true'}
_SAVING, _EVALUATING = 30.0, 90.0  # Seconds that a training leaves.


def resuming(machine: machine_lib.Machine) -> Iterator[stages.Task]:
  """Yields the tasks of stage 4: a training without and with a stop."""
  settings = {'as it is': {}, 'deterministic': _DETERMINISTIC}
  if machine.small:
    settings.pop('deterministic')  # Its flag is of GPUs.
  for key, variables in settings.items():
    yield stages.Task(
      key,
      lambda left, v=variables, k=key: measuring.guarded(
        lambda: _resumed(machine, k.replace(' ', '_'), v)
      ),
    )


def _resumed(machine, name: str, variables) -> dict[str, Any]:
  """Trains three times: twice without a stop, and once with one."""
  folder = machine.work / 'resume' / name
  config = 'moving_shapes.py:smoke,epochs=40.0,variant=memae'
  if machine.small:
    config = 'digits.py:smoke,epochs=200.0,variant=memae'
  words = [
    f'--config=configs/{config}',
    '--config.train.log_every=2',
    '--config.train.checkpoint_every=1000000',
    '--config.eval.baselines=random',
    '--config.eval.bootstrap=0',
  ]
  for run in ('straight', 'again'):
    _train(machine, [*words, f'--workdir={folder / run}'], variables)
  workdir, stopped = folder / 'resumed', folder / 'stopped.txt'
  if not stopped.exists():
    shutil.rmtree(workdir, ignore_errors=True)
    ended = machine.command(
      [*words, f'--workdir={workdir}'],
      machine.clock.left(),
      variables,
      until=lambda: _logged(workdir) >= 3,
    )
    if ended.code != errors.Preempted.exit_code:
      raise machine_lib.Failed(f'it did not stop: {ended.output}')
    atomic.write(stopped, ended.output)
  _train(machine, [*words, f'--workdir={workdir}'], variables)
  differ = lambda other: machine.ask(
    'jax',
    'runs_differ',
    one=str(folder / 'straight'),
    two=str(folder / other),
  )
  return {
    'variables': variables,
    'stopped': stopped.read_text(),
    'straight_against_resumed': differ('resumed'),
    'straight_against_straight': differ('again'),
  }


def _logged(workdir: pathlib.Path) -> int:
  """Returns the number of events that a run has logged."""
  path = workdir / 'metrics.jsonl'
  return len(path.read_bytes().splitlines()) if path.exists() else 0


def _train(machine, words: Sequence[str], variables) -> None:
  """Trains to the end, unless that was done; `words` end with --workdir.

  Raises:
    Failed: the training ended with an error.
    OutOfTime: the minutes are over.
  """
  workdir = pathlib.Path(words[-1].partition('=')[2])
  if (workdir / 'results.json').exists():
    return
  ended = machine.command(words, machine.clock.left(), variables)
  if ended.code == errors.Preempted.exit_code or not machine.clock.left():
    raise stages.OutOfTime
  if ended.code:
    raise machine_lib.Failed(ended.output)


class Run(NamedTuple):
  """Training of stage 5: its name, words for configs/ped2.py, and baselines."""

  name: str
  words: str
  size: str = 'size=256,slots=2000'
  baselines: str = 'random,frame_difference'


_OF_MOTION = 'random,frame_difference,no_bank'
RUNS = (
  Run('motion', 'recipe=motion,seeds=3', 'size=64,slots=200', _OF_MOTION),
  Run('memae_released', 'recipe=released,epochs=60,variant=memae'),
  Run('memae', 'variant=memae'),
  Run('ae', 'variant=ae'),
)


def ped2(machine: machine_lib.Machine) -> Iterator[stages.Task]:
  """Yields the tasks of stage 5: Ped2 by four trainings."""
  pack = machine.find(*PACKS)
  for run in RUNS:
    yield stages.Task(
      run.name,
      lambda left, r=run: measuring.guarded(lambda: _trained(machine, r, pack)),
    )


def _trained(machine, run: Run, pack) -> dict[str, Any]:
  """Trains while there is time, and evaluates; returns the row."""
  workdir = machine.work / 'ped2' / run.name
  words = [*_flags(machine, run, pack), f'--workdir={workdir}']
  data = 'generated clips, as --data has no ped2.zip'
  if pack:
    data = pack.name
  spare = (_SAVING + _EVALUATING) if not machine.small else 0
  ended = machine.command(words, max(machine.clock.left() - spare, 1))
  if (
    ended.code == errors.Preempted.exit_code
    and (workdir / 'checkpoints').exists()
  ):
    seconds = max(machine.clock.left() - _SAVING, 1)
    again = machine.command(['--mode=eval', f'--workdir={workdir}'], seconds)
    if again.code == errors.Preempted.exit_code:
      return {'unfinished': True, 'data': data, 'said': ended.output}
    if again.code:
      raise machine_lib.Failed(again.output)
  elif ended.code == errors.Preempted.exit_code:
    return {'unfinished': True, 'data': data, 'said': ended.output}
  elif ended.code:
    raise machine_lib.Failed(ended.output)
  row = {'data': data, 'flags': words[:-1], **_results(workdir)}
  row |= artefacts(machine)
  return row | ({'unfinished': True} if ended.code else {})


def _flags(machine, run: Run, pack) -> list[str]:
  size = 'smoke' if machine.small else run.size
  flags = [
    f'--config.eval.baselines={run.baselines}',
    '--config.train.keep=1',
  ]
  if machine.small:
    flags += [
      '--config.data.max_samples=40',
      '--config.eval.bootstrap=0',
      '--config.train.batch_size=4',
    ]
  if not pack:
    flags.append('--config.data.name=moving_shapes')
  else:
    frames = machine.work / 'ped2_frames'
    pack_ped2.unpack(pack, frames)
    flags += [
      '--config.data.name=frames',
      f'--config.data.path={frames}',
      '--config.data.colour=grey',
      f'--config.data.data_dir={machine.work / "data"}',
    ]
  return [f'--config=configs/ped2.py:{size},{run.words}', *flags]


def _results(workdir: pathlib.Path) -> dict[str, Any]:
  """Returns parts of the newest results of a run."""
  results = json.loads((workdir / 'results.json').read_bytes())
  return {
    'step': results['checkpoint']['step'],
    'steps': results['checkpoint']['of_steps'],
    'metrics': results['metrics'],
    'baselines': results['baselines'],
    'dataset': {
      key: results['dataset'][key]
      for key in ('num_samples', 'label_sha256', 'data_sha256')
    },
    'memory': results['memory'],
  }


def artefacts(machine: machine_lib.Machine) -> dict[str, Any]:
  """Packs results, scores, reports and weights of the runs, in parts.

  Weights come last, in the order of the runs, while they fit the parts. The
  archive is put together by `cat ped2_runs.zip.* > ped2_runs.zip`.

  Returns:
    The names of the parts, and of the runs whose weights are left out.
  """
  left_out, runs = [], machine.work / 'ped2'
  names = 'results.json', 'report.html', 'metrics.jsonl', 'config.json'
  with atomic.replacing(machine.work / ARCHIVE) as place:
    with zipfile.ZipFile(place, 'w', zipfile.ZIP_DEFLATED) as file:
      existing = [run.name for run in RUNS if (runs / run.name).is_dir()]
      for name in existing:
        scores = sorted((runs / name).glob('eval/*/scores.npz'))
        for path in [runs / name / n for n in names] + scores[-1:]:
          if path.exists():
            file.write(path, f'{name}/{path.name}')
      for name in existing:
        weights = _weights(machine, runs / name)
        size = place.stat().st_size
        if weights is None or size + weights.stat().st_size > PARTS * PART:
          left_out.append(name)
        else:
          file.write(weights, f'{name}/weights.npz', zipfile.ZIP_STORED)
          file.fp.flush()
  return {'parts': publish(machine), 'weights_left_out': left_out}


def publish(machine: machine_lib.Machine) -> list[str]:
  """Copies the archive, if there is one, to the results in parts.

  Returns:
    The names of the parts.
  """
  archive, parts = machine.work / ARCHIVE, {}
  if archive.exists():
    content = archive.read_bytes()
    for number, start in enumerate(range(0, len(content), PART)):
      parts[f'{ARCHIVE}.{number}'] = content[start : start + PART]
  for path in machine.out.glob(f'{ARCHIVE}.*'):
    if path.name not in parts:
      path.unlink()
  for name, content in parts.items():
    path = machine.out / name
    if not path.exists() or path.read_bytes() != content:
      atomic.write(path, content)
  return list(parts)


def _weights(machine, run: pathlib.Path) -> pathlib.Path | None:
  """Writes the weights of a run; returns None without run or time."""
  to = machine.work / f'{run.name}_weights.npz'
  if not (run / 'checkpoints').is_dir():
    return None
  try:
    machine.ask('jax', 'weights', run=str(run), to=str(to))
  except (machine_lib.Failed, stages.OutOfTime):
    return None  # Results are worth more than weights.
  return to
