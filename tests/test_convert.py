"""PyTorch weights become a run that scores as PyTorch does, and come back."""

import json
import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax import convert
from memae_jax.data import transforms
from memae_jax.models import memae, reference_weights
from memae_jax.runtime import errors, parallel
from memae_jax.training import checkpoint, experiment, run_folder, step
from tests import helpers

torch = pytest.importorskip('torch', reason='PyTorch is not installed')
from tests import torch_peer  # noqa: E402

WIDTHS, SLOTS = (4, 6, 8, 10), 60


def _peer(channels=1, slots=SLOTS):
  return torch_peer.randomize(torch_peer.Peer(WIDTHS, channels, slots))


def _save(path, peer, **options):
  torch.save(peer.state_dict(), path, **options)
  return path


def _arrays(path):
  return {k: v.numpy() for k, v in torch.load(path, weights_only=True).items()}


def _reconstructed(peer, x):
  """[B, T, H, W, C] by the peer."""
  with torch.no_grad():
    y, _ = peer(torch.from_numpy(np.moveaxis(x, -1, 1).copy()))
  return np.moveaxis(y.numpy(), 1, -1)


def _restored(workdir):
  exp = experiment.build(config_lib.load(workdir / 'config.json'))
  with checkpoint.Checkpoints(workdir, read_only=True) as checkpoints:
    return exp, *run_folder.trained(exp, checkpoints, workdir)


@pytest.mark.parametrize(
  ('shape', 'slots'),
  [
    ((16, 48, 80, 1), SLOTS),
    ((16, 48, 80, 3), SLOTS),
    ((8, 32, 16, 3), None),
  ],
)
def test_the_network_of_pytorch(shape, slots):
  peer = _peer(shape[-1], slots)
  x = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype('f')
  model = memae.build(helpers.clips().model, shape, slots)
  knobs = memae.Knobs(
    jnp.asarray(slots is not None),
    jnp.asarray(False),
    jnp.float32(0.6),
    jnp.int32(SLOTS),
  )
  like = jax.eval_shape(lambda: model.init(jax.random.key(0), x, knobs))
  weights = {k: v.numpy() for k, v in peer.state_dict().items()}
  out = jax.jit(model.apply)(
    reference_weights.from_reference(weights, like), x, knobs
  )
  want = _reconstructed(peer, x)
  assert want.std() > 0.1  # Or nothing would be compared.
  np.testing.assert_allclose(out.reconstruction, want, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('slots', [SLOTS, None], ids=['memae', 'ae'])
def test_there_and_back(slots, tmp_path):
  """A run restores, scores as PyTorch, and gives back the same bits."""
  peer, run = _peer(slots=slots), tmp_path / 'run'
  convert.to_run(_save(tmp_path / 'a.pt', peer), run, helpers.clips())
  exp, at, state, meta = _restored(run)
  assert at == 0 and 'a.pt' in meta['environment']['weights']
  assert [r.variant for r in exp.replicas] == ['memae' if slots else 'ae']
  rows = exp.splits[0].test[:5]
  scored = jax.device_get(exp.programs.score(step.weights(state), [rows]))
  x = transforms.apply(
    exp.source.inputs[rows], jax.tree.map(np.asarray, exp.splits[0].transform)
  )
  want = np.mean((_reconstructed(peer, x) - x) ** 2, axis=(1, 2, 3, 4))
  np.testing.assert_allclose(scored.scores['mse'][0, :5], want, rtol=1e-4)

  convert.to_file(run, tmp_path / 'b.pt')
  there, back = peer.state_dict(), _arrays(tmp_path / 'b.pt')
  assert list(there) == list(back)
  for name, value in there.items():
    np.testing.assert_array_equal(back[name], value.numpy(), err_msg=name)
    assert back[name].dtype == value.numpy().dtype


def _wrapped(weights):
  return {'epoch': 3, 'state_dict': {f'module.{k}': v for k, v in weights}}


@pytest.mark.parametrize(
  ('change', 'options'),
  [
    (_wrapped, {}),
    (dict, {'_use_new_zipfile_serialization': False}),
    (lambda w: {k: v for k, v in w if not k.endswith('tracked')}, {}),
    (lambda w: {k: v.double() for k, v in w}, {}),
  ],
  ids=['DataParallel in a checkpoint', 'old format', 'no counts', 'float64'],
)
def test_files_that_are_read(change, options, tmp_path):
  weights = _peer().state_dict()
  torch.save(change(weights.items()), tmp_path / 'a.pt', **options)
  found = convert.read(tmp_path / 'a.pt')
  for name, value in weights.items():
    if name in found or not name.endswith('tracked'):
      np.testing.assert_array_equal(found[name], value.numpy())
      assert found[name].dtype == np.float32


def _refused(message, function, *args):
  with pytest.raises(errors.UserError, match=message) as refused:
    function(*args)
  assert '\n' not in str(refused.value)


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    (None, 'is no file'),
    (b'', 'damaged'),
    (b'not a zip file', 'damaged'),
    ([1, 2], 'no state dict'),
    ({'state_dict': 3}, 'no state dict'),
    ({'epoch': 3, 'model': {}}, 'no state dict'),
    ({3: torch.zeros(2)}, 'no state dict'),
    ({'a': torch.zeros(2, 2).to_sparse()}, 'damaged or holds more'),
    ({'a': torch.zeros(2, device='meta')}, 'damaged or holds more'),
    ('module', 'more than weights'),
    ('torn', 'damaged'),
  ],
)
def test_files_that_are_refused(content, message, tmp_path):
  path = tmp_path / 'a.pt'
  if content == 'torn':
    whole = _save(path, _peer()).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
  elif isinstance(content, bytes):
    path.write_bytes(content)
  elif content is not None:
    torch.save(_peer() if content == 'module' else content, path)
  _refused(f'a.pt .*{message}', convert.to_run, path, tmp_path / 'run', {})
  assert not (tmp_path / 'run').exists()


_MUTANTS = 2000 if os.environ.get('MEMAE_TEST_THOROUGH') == '1' else 150


@pytest.mark.parametrize('is_zip', [True, False])
def test_mutants_are_refused_or_are_the_same(is_zip, tmp_path):
  """A file of today has checksums, which PyTorch itself does not compare."""
  path, rng = tmp_path / 'a.pt', np.random.default_rng(0)
  weights = {
    'a.weight': torch.arange(12.0).reshape(3, 4),
    'a.bias': torch.ones(3),
  }
  torch.save(weights, path, _use_new_zipfile_serialization=is_zip)
  content = path.read_bytes()
  for _ in range(_MUTANTS):
    at = int(rng.integers(len(content)))
    part = rng.bytes(int(rng.integers(1, 9)))
    changed = (
      content[:at],
      content[:at] + part + content[at + len(part) :],
      content[:at] + part + content[at:],
      content[:at] + content[at + len(part) :],
    )[rng.integers(4)]
    path.write_bytes(changed)
    try:
      found = convert.read(path)
    except errors.UserError as error:
      assert 'a.pt' in str(error) and '\n' not in str(error)
      continue
    if is_zip:
      assert list(found) == list(weights)
      for name, value in weights.items():
        np.testing.assert_array_equal(found[name], value.numpy())


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'model.memory.slots': 50}, r'rep.memory.weight" .*60, 10.*50, 10'),
    ({'model.widths': (4, 6, 8, 12)}, r'a.pt: ".*\(.*10.*\(.*12'),
    ({'model.widths': (4,), 'model.time_strides': (1,)}, 'none of this netw'),
    ({'model.kernels': (3, 3, 3, 5)}, r'".*3, 3, 3\).*5, 5, 5\)'),
    ({'model.activation': 'relu'}, "activation.*'relu'.*'leaky_relu'"),
    ({'model.batch_norm': False}, 'model.batch_norm'),
    ({'fleet.thresholds': (0.6, 1.0)}, 'one network.*threshold=0.6, memae'),
  ],
)
def test_configs_that_do_not_fit(changes, message, tmp_path):
  path, run = _save(tmp_path / 'a.pt', _peer()), tmp_path / 'run'
  _refused(message, convert.to_run, path, run, helpers.clips(**changes))
  assert not run.exists()


def test_a_run_is_not_overwritten(tmp_path):
  (tmp_path / 'run/checkpoints/8').mkdir(parents=True)
  args = tmp_path / 'a.pt', tmp_path / 'run', helpers.clips()
  _refused('has checkpoints already', convert.to_run, *args)


def test_without_pytorch(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'torch', None)
  _refused(r"pip install 'memae_jax\[convert\]'", convert.read, tmp_path)


def test_a_cosine_memory_is_warned_of(tmp_path, caplog):
  config = helpers.clips(**{'model.memory.similarity': 'cosine'})
  convert.to_run(_save(tmp_path / 'a.pt', _peer()), tmp_path / 'run', config)
  assert 'with similarity cosine, the released code with sim' in caplog.text


@pytest.fixture(scope='module')
def fleet_run(tmp_path_factory):
  """A run of several variants and sizes, with random weights."""
  run = tmp_path_factory.mktemp('fleet')
  exp = experiment.build(
    helpers.clips(
      **{
        'fleet.variants': ('memae', 'ae', 'vae'),
        'fleet.slots': (20, 60),
        'eval.checkpoint': 'validation',
      }
    )
  )
  rng = np.random.default_rng(0)
  state = jax.tree.map(
    lambda x: rng.normal(size=x.shape).astype(x.dtype),
    exp.programs.init_shapes,
  )
  run_folder.store_config(run, exp.config)
  with checkpoint.Checkpoints(run) as checkpoints:
    checkpoints.save(
      0, parallel.place(state, exp.mesh, parallel.BY_REPLICA), exp.meta
    )
  return run, state.best


def test_replicas_of_a_fleet(fleet_run, tmp_path):
  """The weights that evaluation takes, and only the slots that exist."""
  (run, best), path = fleet_run, tmp_path / 'a.pt'
  convert.to_file(run, path)
  np.testing.assert_array_equal(
    _arrays(path)['mem_rep.memory.weight'], best.params['bank']['slots'][0, :20]
  )
  convert.to_file(run, path, 'ae/slots=60')
  torch_peer.Peer(WIDTHS).load_state_dict(torch.load(path))
  np.testing.assert_array_equal(
    _arrays(path)['encoder.3.bias'], best.params['encoder']['Conv_1']['bias'][2]
  )
  for name, message in (
    ('ae', 'known: ae/sl'),
    ('vae/slots=60', 'has parts that'),
  ):
    _refused(message, convert.to_file, run, tmp_path / 'c.pt', name)
  assert not (tmp_path / 'c.pt').exists()


def test_a_run_of_another_network(tmp_path):
  run_folder.store_config(tmp_path, helpers.digits())
  _refused('"dense"|dense', convert.to_file, tmp_path, tmp_path / 'a.pt')
  _refused('train first', convert.to_file, tmp_path / 'no', tmp_path / 'a.pt')


def _command(*argv):
  process = helpers.start(*argv, module='memae_jax.convert')
  out, err = process.communicate(timeout=300)
  return process.returncode, out, err


@pytest.mark.slow
def test_command_line(tmp_path):
  path = _save(tmp_path / 'a.pt', _peer())
  config = helpers.write_config(tmp_path / 'c.py', helpers.clips())
  code, out, err = _command(
    str(path), f'--workdir={tmp_path}/run', f'--config={config}'
  )
  assert code == 0 and '--mode=eval' in out, err
  code, out, err = helpers.run('--mode=eval', f'--workdir={tmp_path}/run')
  assert code == 0 and 'auroc_normalised' in out, err
  results = json.loads((tmp_path / 'run' / 'results.json').read_text())
  assert results['environment']['training']['weights'] == 'converted from a.pt'
  code, out, err = _command(
    f'{tmp_path}/run', f'--to={tmp_path}/b.pt', '--replica=memae'
  )
  assert code == 0 and 'b.pt' in out, err
  back = _arrays(tmp_path / 'b.pt')
  for name, value in _arrays(path).items():
    np.testing.assert_array_equal(back[name], value)


@pytest.mark.parametrize(
  ('argv', 'words'),
  [
    (['a.pt'], ['--workdir=RUN', '--to=FILE']),
    (['a.pt', '--workdir=run'], ['a.pt is no file']),
  ],
)
def test_commands_that_are_refused(argv, words, tmp_path):
  code, out, err = _command(*argv)
  said = [line for line in err.splitlines() if line.startswith('error: ')]
  assert code == 2 and len(said) == 1, err
  assert all(word in said[0] for word in words), said
