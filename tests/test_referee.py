"""The referee as a command: what is wrong with its input is one line."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from memae_jax import cli
from memae_jax.refereeing import command, given
from tests import helpers
from tests.refereeing import inputs


def _tree(folder: pathlib.Path) -> dict[str, bytes]:
  return {
    str(path.relative_to(folder)): path.read_bytes()
    for path in folder.rglob('*')
    if path.is_file()
  }


@pytest.mark.parametrize('name', inputs.WRONG)
def test_wrong_inputs_are_one_line_and_nothing_is_written(
  name, tmp_path, monkeypatch, capsys
):
  files, changes, part = inputs.WRONG[name]
  monkeypatch.chdir(tmp_path)
  inputs.written(tmp_path, {'scores.npy': inputs.npy(inputs.SCORES)})
  inputs.written(tmp_path, {'labels.npy': inputs.npy(inputs.LABELS)})
  inputs.written(tmp_path, files)
  before = _tree(tmp_path)
  options = {'scores': 'scores.npy', 'labels': 'labels.npy', 'output': 'out'}
  with pytest.raises(SystemExit) as stop:
    cli.guarded(lambda: command.run(given.Options(**options | changes)))
  out, err = capsys.readouterr()
  assert stop.value.code == 2 and not out
  (line,) = [x for x in err.splitlines() if ' read ' not in x]
  assert line.startswith('error: ') and part in line, line
  assert _tree(tmp_path) == before and before.keys() >= files.keys()


def test_there_are_sixty_of_them():
  assert len(inputs.WRONG) >= 60


@pytest.mark.slow
def test_the_command(tmp_path):
  """Flags with dashes, a table, and a flag that is none."""
  rng = np.random.default_rng(0)
  rows = [
    f'{v},{i},{rng.normal() - (i > 20)},{int(i > 20)}'
    for v in 'ab'
    for i in range(30)
  ]
  table = tmp_path / 'scores.csv'
  table.write_text('\n'.join(('video,frame,score,label', *rows)))
  start = [sys.executable, '-m', 'memae_jax.referee', str(table)]
  run = lambda *flags: subprocess.run(
    [*start, f'--output={tmp_path}/out', *flags],
    capture_output=True,
    text=True,
    cwd=helpers.ROOT,
    check=False,
  )
  done = run('--higher-is-normal', '--frame-rate', '25', '--resamples=20')
  assert done.returncode == 0, done.stderr
  assert 'Frame position' in done.stdout and 'report: ' in done.stdout
  assert (tmp_path / 'out/report.html').is_file()
  done = run('--fdr=2')
  assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
