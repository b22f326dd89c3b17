"""A tiny stand-in for memae_jax.main: says who it is, ends as it is told.

python -m tests.launch.stand_in CODE            ends at once
python -m tests.launch.stand_in wait            until SIGTERM, then code 75
python -m tests.launch.stand_in stubborn        never hears SIGTERM
python -m tests.launch.stand_in after FILE CODE  as soon as FILE exists
python -m tests.launch.stand_in resume FOLDER   as wait; done when run again
python -m tests.launch.stand_in unready FOLDER  the same, killed by SIGTERM
"""

import json
import os
import pathlib
import signal
import sys
import time

PREFIXES = ('JAX_', 'SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_ARRAY_TASK_ID')


def main(how: str, *rest: str) -> int:
  env = {k: v for k, v in os.environ.items() if k.startswith(PREFIXES)}
  asked = []
  if how == 'stubborn':
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
  elif how != 'unready':
    signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
  print(json.dumps({'argv': rest, 'env': env}), flush=True)
  if how in ('resume', 'unready'):
    who = os.environ.get('SLURM_PROCID', '0')
    saved = pathlib.Path(rest[0]) / f'saved-{who}'
    if saved.exists():
      print('resumed', flush=True)
      return 0
  if how == 'unready':
    saved.touch()
  if how == 'after':
    while not pathlib.Path(rest[0]).exists():
      time.sleep(0.02)
    how = rest[1]
  if how not in ('wait', 'stubborn', 'resume', 'unready'):
    return int(how)
  end = time.monotonic() + 300
  while not asked and time.monotonic() < end:
    time.sleep(0.02)
  if how == 'resume':
    saved.write_text('state')
  print('saved', flush=True)
  return 75


if __name__ == '__main__':
  sys.exit(main(*sys.argv[1:]))
