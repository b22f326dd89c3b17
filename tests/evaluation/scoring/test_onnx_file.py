"""Models of ONNX of trained replicas, against their scores by JAX."""

import json

import jax
import numpy as np
import pytest

from memae_jax import export
from memae_jax.evaluation.scoring import onnx_file, single
from memae_jax.runtime import errors
from memae_jax.training import step
from tests import exports
from tests.methods import fitting

onnx = pytest.importorskip('onnx', reason='extra "onnx"')
runtime = pytest.importorskip('onnxruntime', reason='extra "onnx"')


def _scores(content, x):
  session = runtime.InferenceSession(
    content, providers=['CPUExecutionProvider']
  )
  return session.run(None, {'samples': x})[0]


def test_flags_of_a_thousand_samples_are_equal(
  scored_run, scorer_of, tmp_path, capsys
):
  exp, _, folder = scored_run('dense')
  path, name = tmp_path / 'a.onnx', exp.replicas[1].name
  export.to_onnx(folder, path, name)
  assert 'scores by onnxruntime differ by at most' in capsys.readouterr().out
  found = scorer_of('dense', 1)[1]
  rows = np.arange(1000) % len(exp.source.inputs)
  noise = np.random.default_rng(0).integers(0, 30, (1000, 8, 8, 1), np.uint8)
  x = exp.source.inputs[rows] + noise
  got, want = _scores(path.read_bytes(), x), found.score(x)
  np.testing.assert_allclose(got, want, rtol=1e-5)
  flags = got > found.threshold
  np.testing.assert_array_equal(flags, found.flag(x))
  assert 0 < flags.sum() < 1000
  held = {p.key: p.value for p in onnx.load(path).metadata_props}
  assert json.loads(held['memae_jax'])['threshold'] == found.threshold


def _written(exp, weights, index=0):
  one = single.of(exp, weights, index)
  content = onnx_file.written(one, exp.source.host, {})
  score = jax.jit(lambda x: one.outputs(x)['score'])
  return content, lambda rows: np.asarray(score(exp.source.inputs[rows]))


@pytest.mark.slow
@pytest.mark.parametrize(
  'fields',
  [
    {},
    {'methods.bank.features': 'blur_unit', 'methods.bank.neighbours': 3},
  ],
)
def test_a_bank(fields):
  exp, weights = fitting.fitted(**{'model.memory.slots': 50, **fields})
  content, score = _written(exp, weights)
  rows = exp.splits[0].test
  want = score(rows)
  assert want.std() > 0
  np.testing.assert_allclose(
    _scores(content, exp.source.inputs[rows]), want, rtol=1e-5, atol=1e-5
  )


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['images', 'table'])
def test_other_samples(scored_run, tmp_path, kind):
  _, _, folder = scored_run(kind)
  export.to_onnx(folder, tmp_path / 'a.onnx')
  assert (tmp_path / 'a.onnx').stat().st_size > 1000


@pytest.mark.slow
def test_networks_of_clips_are_refused(scored_run, tmp_path):
  _, _, folder = scored_run('clips')
  exports.refused(
    'cannot be written as ONNX: its network takes samples one by one',
    export.to_onnx,
    folder,
    tmp_path / 'a.onnx',
  )


def test_other_families_are_refused():
  exports.refused(
    'method "deep_svdd" cannot be written as ONNX; those of the families'
    ' autoencoder and bank can',
    onnx_file.check,
    'deep_svdd',
  )


def test_scores_that_differ_are_refused(scored_run):
  exp, _, _ = scored_run('dense')
  content, score = _written(exp, step.weights(exp.programs.init()))
  rows = exp.splits[0].test[:9]
  x, want = exp.source.inputs[rows], score(rows)
  assert onnx_file.compared(content, x, want, 0.5).count == 9
  with pytest.raises(errors.UserError, match='differ .* by up to 2.0e-04'):
    onnx_file.compared(content, x, want + np.float32(2e-4), 0.5)
  with pytest.raises(errors.UserError, match='cannot run it'):
    onnx_file.compared(b'no model', x, want, 0.5)
