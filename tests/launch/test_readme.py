"""The commands of launch/README.md are ones that the launchers take."""

import re
import shlex

import pytest

from tests.launch import helpers

TEXT = (helpers.ROOT / 'launch/README.md').read_text()
COMMANDS = re.findall(
  r'^python -m launch\.(\w+) (.*)$', TEXT.replace('\\\n', ''), re.M
)


def test_there_is_one_for_each_launcher():
  assert {name for name, _ in COMMANDS} == {'local', 'slurm', 'tpu_vm', 'gke'}


@pytest.mark.parametrize('name, words', COMMANDS)
def test_command(name, words):
  code, out, err = helpers.launch(name, '--dry_run', *shlex.split(words))
  assert code == 0, err
  assert out
