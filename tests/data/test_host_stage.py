"""The host stage keeps the variation of numbers, whatever their offset."""

import csv
import json

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from memae_jax import config as config_lib
from memae_jax import export, scorer
from memae_jax.data import host_stage, protocols, sources, transforms
from memae_jax.evaluation import command
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop

_OFFSETS = [0.0, 1e6, 1.7e9, -1e9, 3e12, 1e15, -1e15]


def _fit(column, log1p=False):
  inputs = np.asarray(column, np.float64).reshape(-1, 1)
  one = np.ones(1, bool)
  return host_stage.fit(inputs, np.arange(len(inputs)), one, one & log1p)


def _through(column, **how):
  column = np.asarray(column, np.float64).reshape(-1, 1)
  return host_stage.apply(column, _fit(column, **how))[:, 0]


@hypothesis.given(
  st.floats(1e6, 1e15),
  st.sampled_from([-1.0, 1.0]),
  st.floats(1e4, 1e9),
  st.integers(0, 2**32 - 1),
)
def test_what_varies_is_kept(offset, sign, spacings, seed):
  signal = spacings * np.spacing(offset)
  column = sign * offset + signal * np.random.default_rng(seed).normal(size=50)
  stage = _fit(column)
  got = _through(column)
  want = column - stage.centre  # Exact, for numbers this near each other.
  np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6 * want.std())
  assert got.std() == pytest.approx(column.std(), rel=1e-3)
  back = host_stage.undone(got.astype(np.float64)[:, None], stage)[:, 0]
  np.testing.assert_allclose(back, column, rtol=1e-6, atol=1e-6 * want.std())


def test_logarithms_are_undone_and_other_numbers_stay():
  inputs = np.array([[0.0, 1e6], [3.0, 800.0], [1e5, -5.0]])
  all_of_them = np.ones(2, bool)
  log1p = np.array([True, False])
  stage = host_stage.fit(inputs, np.arange(3), all_of_them, log1p)
  x = host_stage.apply(inputs, stage).astype(np.float64)
  np.testing.assert_allclose(host_stage.undone(x, stage), inputs, rtol=1e-5)


@pytest.mark.parametrize(
  ('column', 'centre'),
  [
    ([0.0, 1, 2, 3], 0),  # Already well in float32.
    ([10.0, 20, 30], 0),
    ([-5.0, 5, 5], 0),
    ([0.0, 0, 0], 0),
    ([7.0, 7, 7], 7),
    ([0.1, 0.1, 0.1], 0.1),  # A mean of these is not 0.1.
    ([1e15, 1e15 + 1, 1e15 + 2], 1e15 + 1),
    ([np.nan, 5e8, 5e8 + 2], 5e8 + 1),
    ([np.nan, np.nan], 0),
  ],
)
def test_only_a_large_offset_is_subtracted(column, centre):
  stage = _fit(column)
  assert stage.centre.tolist() == [centre] and stage.unit.tolist() == [1]
  want = np.array(column) - centre
  np.testing.assert_array_equal(_through(column), want.astype(np.float32))


@pytest.mark.parametrize('size', [1e300, 1e40, 1e-40, 1e-300])
def test_columns_beyond_float32_are_brought_into_it(size):
  column = np.array([1.0, 2, 3, 5]) * size
  got, unit = _through(column), _fit(column).unit[0]
  np.testing.assert_array_equal(got, (column * unit).astype(np.float32))
  assert 0.05 < got.std() <= 2 and np.log2(unit).is_integer()


def test_logarithms_are_taken_before_the_offset():
  column = np.expm1(40 + np.array([0.0, 1e-6, 2e-6]))
  got = _through(column, log1p=True)
  np.testing.assert_allclose(np.diff(got), 1e-6, rtol=1e-4)


def test_refusals_name_the_row_and_the_input():
  inputs = np.array([[1.0, 2.0], [3.0, -1.0], [4.0, 1.0]])
  stage = host_stage.fit(
    inputs, [0, 2], np.ones(2, bool), np.array([0, 1], bool)
  )
  with pytest.raises(errors.UserError, match='f: row 1: input "b" is negative'):
    host_stage.apply(inputs, stage, ('a', 'b'), 'f: ')
  inputs[2] = 1e39, 3
  inputs[1] = 3, 1
  with pytest.raises(errors.UserError, match='row 2: input "a".*float32'):
    host_stage.apply(inputs, stage, ('a', 'b'))


def test_it_is_stored_to_the_last_bit():
  stage = host_stage.fit(
    np.array([[1e15 / 3, 0.1], [1e15 / 3 + 1, 0.1]]),
    [0, 1],
    np.ones(2, bool),
    np.zeros(2, bool),
  )
  again = host_stage.from_json(
    json.loads(json.dumps(host_stage.to_json(stage)))
  )
  for part, copy in zip(stage, again):
    assert part.dtype == copy.dtype and part.tolist() == copy.tolist()
  with pytest.raises(ValueError, match='not sound'):
    host_stage.from_json(host_stage.to_json(stage) | {'centre': [1.0]})
  with pytest.raises(ValueError, match='not sound'):
    host_stage.from_json(host_stage.to_json(stage) | {'unit': [1.0, np.nan]})


def test_float32_without_offsets_is_not_copied():
  inputs = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
  stage = host_stage.fit(inputs, [0, 1], np.ones(3, bool), np.zeros(3, bool))
  assert host_stage.is_identity(stage)
  assert host_stage.apply(inputs, stage) is inputs


def _table(offset, rows=400, seed=0):
  """Returns two noisy columns, and one with an offset that tells anomalies."""
  rng = np.random.default_rng(seed)
  signal = max(1.0, 1e4 * np.spacing(abs(offset)))
  anomalous = rng.random(rows) < 0.2
  time = rng.normal(size=rows) + np.where(anomalous, 8, 0)
  return rng.normal(size=(rows, 2)), offset + signal * time, anomalous


def _written(folder, kind, offset):
  """Writes the table of `_table`; integers where the kind of file has them."""
  noise, time, anomalous = _table(offset)
  label = np.where(anomalous, 'bad', 'ok')
  path = folder / f'table.{kind}'
  if kind == 'csv':
    with path.open('w', newline='') as file:
      rows = zip(*noise.T.tolist(), time.tolist(), label.tolist())
      csv.writer(file).writerows([('a', 'b', 't', 'kind'), *rows])
  elif kind == 'npz':
    np.savez(path, inputs=np.c_[noise, time], kind=label)
  else:
    import pyarrow as pa
    from pyarrow import parquet

    noise = {'a': noise[:, 0], 'b': noise[:, 1]}
    time = (
      np.round(time * 1000).astype(np.int64) if abs(offset) < 1e15 else time
    )
    parquet.write_table(pa.table({**noise, 't': time, 'kind': label}), path)
  return path


def _config(path, **changes):
  config = config_lib.default()
  config.data.name = 'arrays'
  config.data.path = str(path)
  config.data.label_column = 'kind'
  config.data.normal_labels = ('ok',)
  config.data.protocol = 'random_rows'
  config.data.scaling = 'standard'
  config.model.widths = (8,)
  config.model.code = 1
  config.model.memory.slots = 10
  config.fleet.variants = ('memae',)
  config.fleet.normal_classes = ()
  config.train.batch_size = 32
  config.train.epochs = 2.0
  config.eval.baselines = ('mean',)
  config.eval.bootstrap = 0
  config.update_from_flattened_dict(changes)
  return config_lib.resolve(config)


@pytest.mark.parametrize('kind', ['csv', 'npz', 'parquet'])
@pytest.mark.parametrize('offset', _OFFSETS)
def test_network_inputs_do_not_depend_on_the_offset(tmp_path, kind, offset):
  inputs, anomalous = {}, {}
  for name, at in (('far', offset), ('near', 0.0)):
    (tmp_path / name).mkdir()
    config = _config(_written(tmp_path / name, kind, at)).data
    source = sources.load(config)
    split = protocols.split(source, config, 0)
    assert source.inputs.dtype == np.float32
    assert not any('rounded' in line for line in split.warnings)
    x = transforms.apply(source.inputs, split.transform)
    inputs[name], anomalous[name] = x[split.test, 2], split.anomalous
  assert anomalous['far'].tolist() == anomalous['near'].tolist()
  # Rounding of float64 itself: 1e4 spacings are one deviation.
  np.testing.assert_allclose(inputs['far'], inputs['near'], atol=2e-3)


@pytest.mark.parametrize('scaling', ['minmax', 'none'])
def test_other_scalings_have_it_too(tmp_path, scaling):
  config = _config(
    _written(tmp_path, 'csv', 1.7e9), **{'data.scaling': scaling}
  )
  source = sources.load(config.data)
  split = protocols.split(source, config.data, 0)
  x = transforms.apply(source.inputs, split.transform)[:, 2]
  time = _table(1.7e9)[1]
  if scaling == 'minmax':
    low, high = time[split.train].min(), time[split.train].max()
    np.testing.assert_allclose(x, (time - low) / (high - low), atol=1e-5)
  else:  # The number itself, as far as float32 can hold it.
    np.testing.assert_allclose(x, time, rtol=1e-7)


def test_what_float32_cannot_hold_is_warned_of(tmp_path):
  """The column has two groups far apart: no offset brings both near zero."""
  noise, time, _ = _table(0.0)
  group = np.arange(len(time)) % 2
  path = tmp_path / 'groups.npz'
  np.savez(path, inputs=np.c_[noise, time + 1e9 * group], kind=group)
  config = _config(path, **{'data.normal_labels': ('0', '1')})
  config = config_lib.changed(
    config,
    {
      'data.normal_labels': (),
      'data.protocol': 'one_class',
      'fleet.normal_classes': (1,),
    },
  )
  source = sources.load(config.data)
  line, *_ = protocols.split(source, config.data, 0, 1).warnings
  assert '"input 2" is rounded coarsely' in line and 'log1p' in line


def _auroc(folder):
  results = json.loads((folder / 'results.json').read_text())
  entries = {**results['methods'], **results['baselines']}
  return {name: entry['auroc']['mean'] for name, entry in entries.items()}


@pytest.mark.slow
@pytest.mark.parametrize('offset', [1.7e9, 1e15])
def test_training_evaluation_and_scorer_agree_with_the_centred(
  tmp_path, offset
):
  aurocs, threshold = {}, {}
  for name, at in (('far', offset), ('near', 0.0)):
    folder = tmp_path / name
    folder.mkdir()
    path = _written(folder, 'csv', at)
    exp = experiment.build(_config(path))
    loop.train(exp, folder / 'run')
    command.after_training(exp, folder / 'run')
    aurocs[name] = _auroc(folder / 'run')
    # A second evaluation, on a copy of the table: other data, same scaling.
    more = folder / 'more.csv'
    lines = path.read_text().splitlines()
    more.write_text('\n'.join(lines[:300]) + '\n')
    config = config_lib.changed(_config(path), {'data.path': str(more)})
    command.evaluate_run(folder / 'run', config, 'latest', False)
    (other,) = (p for p in (folder / 'run/eval').iterdir() if '-' in p.name)
    aurocs[name, 'eval'] = _auroc(other)
    export.to_file(folder / 'run', folder / 'scorer')
    scores = scorer.load(folder / 'scorer').score(path)
    with np.load(folder / 'run/eval' / str(exp.steps) / 'scores.npz') as saved:
      rows, want = saved['memae/sample'], saved['memae/score']
    np.testing.assert_allclose(scores[rows], want, rtol=1e-4)
    threshold[name] = scorer.load(folder / 'scorer').threshold
  assert aurocs['near']['mean'] > 0.95  # The column does separate anomalies.
  for key in ('far', ('far', 'eval')):
    centred = aurocs['near' if key == 'far' else ('near', 'eval')]
    assert aurocs[key] == pytest.approx(centred, abs=0.005)
  assert threshold['far'] == pytest.approx(threshold['near'], rel=0.01)
