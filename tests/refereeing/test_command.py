"""The job of the command, where there are labels alone."""

import json

import pytest

from memae_jax.refereeing import command, given
from tests.refereeing import inputs


@pytest.mark.slow
def test_labels_alone(tmp_path, capsys):
  inputs.written(tmp_path, {'l.npy': inputs.npy(inputs.LABELS[None])})
  command.run(
    given.Options(
      labels=str(tmp_path / 'l.npy'),
      video_lengths='3,3',
      output=str(tmp_path / 'out'),
      settings={'bootstrap': 0},
    )
  )
  printed = capsys.readouterr().out
  assert 'These scores' not in printed and 'Frame position' in printed
  results = json.loads((tmp_path / 'out/results.json').read_text())
  assert results['remarks'] and not results['score']['given']
  page = (tmp_path / 'out/report.html').read_text()
  assert 'There are no scores, only labels' in page
