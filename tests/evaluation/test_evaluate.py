"""Results are written before anything is drawn."""

import json

import pytest

from memae_jax.evaluation import evaluate
from memae_jax.evaluation.report import page
from memae_jax.training import experiment
from tests import helpers


def test_a_failing_figure_costs_no_results(tmp_path, monkeypatch):
  monkeypatch.setattr(page, 'render', lambda *_: 1 / 0)
  exp = experiment.build(helpers.digits(**{'fleet.normal_classes': (0,)}))
  request = evaluate.Request(exp, exp.programs.init(), 0, tmp_path, tmp_path)
  with pytest.raises(ZeroDivisionError):
    evaluate.evaluate(request)
  for folder in (tmp_path, tmp_path / 'eval/0'):
    assert json.loads((folder / 'results.json').read_text())['name']
    assert not (folder / 'report.html').exists()
  assert (tmp_path / 'eval/0/scores.npz').exists()
