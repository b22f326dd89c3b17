"""Command line, see the package."""

import argparse
import contextlib
import json
import pathlib
import time

import jax
from absl import logging

from benchmarks import accelerator
from benchmarks.accelerator import machine as machine_lib
from benchmarks.accelerator import measuring, stages, training
from memae_jax import cli
from memae_jax.runtime import errors, host, locks

_WAIT = 60.0  # Seconds that a training of an earlier call has to end.


def plan(machine: machine_lib.Machine, rates) -> tuple[stages.Stage, ...]:
  """Returns the stages in their order.

  Args:
    machine: this one.
    rates: a function that returns the rows of the first stage.
  """
  return (
    stages.Stage(
      '1_card', 'the card and parity on it', lambda: measuring.card(machine)
    ),
    stages.Stage(
      '2_speed',
      'memory reads, the video network, seconds per frame',
      lambda: measuring.speed(machine, rates()),
      60.0,
    ),
    stages.Stage(
      '3_fleet',
      'MNIST networks by vmap and by lax.map',
      lambda: measuring.fleets(machine),
      60.0,
    ),
    stages.Stage(
      '4_resume',
      'a training that was resumed and one that was not, bit for bit',
      lambda: training.resuming(machine),
      60.0,
      keeps=True,
    ),
    stages.Stage(
      '5_ped2',
      'Ped2 at full size',
      lambda: training.ped2(machine),
      60.0,
      keeps=True,
    ),
  )


def _hold(stack, work: pathlib.Path):
  """Returns the lock of the folder of work; waits for an earlier call.

  Raises:
    UserError: another process holds it for too long.
  """
  end = time.monotonic() + _WAIT
  while (lock := locks.claim(stack, work / '.lock', 'measuring')) is None:
    if time.monotonic() > end:
      raise errors.UserError(
        f'another process is measuring in {work}; wait for it, or give another'
        ' --work'
      )
    time.sleep(0.5)
  return lock


def run(args: argparse.Namespace, stack) -> None:
  """Measures the missing rows, stage by stage, while there is time."""
  clock = stages.Clock(args.minutes)
  work = args.work or args.to.with_name(args.to.name + '-work')
  work.mkdir(parents=True, exist_ok=True)
  args.to.mkdir(parents=True, exist_ok=True)
  lock = _hold(stack, work)
  try:
    machine = machine_lib.Machine(
      args.to.absolute(),
      work.absolute(),
      args.data and args.data.absolute(),
      clock,
      lock,
    )
  except machine_lib.Failed as error:
    raise errors.UserError(
      f'JAX finds no device ({error}); install jax for this machine, or set'
      ' JAX_PLATFORMS=cpu'
    ) from error
  stack.callback(machine.rest)
  kind = machine.device['kind']
  facts = {'versions': machine.device['versions'], 'torch': machine.torch}
  if machine.small:
    facts['note'] = stages.NOT_RUN
    print(f'{stages.NOT_RUN}: small sizes, no speed', flush=True)
  books: dict[str, stages.Book] = {}
  rates = lambda: books['1_card'].rows
  for stage in plan(machine, rates):
    books[stage.name] = stages.Book(
      stage,
      [machine.out, machine.work],
      kind,
      facts,
      [args.data] if args.data else [],
    )
  for stage in plan(machine, rates):
    stages.run(stage, books[stage.name], clock)
    machine.rest()
  training.publish(machine)
  states = {name: book.content['cut'] or 'done' for name, book in books.items()}
  print(json.dumps({'device': kind, **facts, 'stages': states}))


def main() -> None:
  """Parses the flags and runs."""
  logging.set_verbosity(logging.ERROR)  # Libraries log more.
  parser = argparse.ArgumentParser(
    prog='python -m benchmarks.accelerator',
    description=accelerator.__doc__.splitlines()[0],
  )
  parser.add_argument('--minutes', type=float, required=True)
  parser.add_argument('--to', type=pathlib.Path, required=True)
  parser.add_argument('--data', type=pathlib.Path)
  parser.add_argument('--work', type=pathlib.Path)
  args = parser.parse_args()
  jax.config.update('jax_platforms', 'cpu')  # Only workers use the card.
  with contextlib.ExitStack() as stack:
    cli.guarded(lambda: run(args, stack))


if __name__ == '__main__':
  host.listen()
  main()
