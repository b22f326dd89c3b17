"""Several runs in one table, paired where they saw the same samples."""

import json
import shutil

import pytest

from memae_jax.comparison import differences, page
from memae_jax.runtime import errors
from tests import finished, helpers


def _entry(comparison, name):
  return next(row for row in comparison['entries'] if row['name'] == name)


@pytest.mark.slow
def test_settings_and_pairs(tmp_path):
  """Of two runs of digits that share one class."""
  changes = {
    'one': {'fleet.variants': ('memae', 'ae'), 'fleet.slots': (3, 5)},
    'two': {'fleet.normal_classes': (1, 2), 'train.learning_rate': 1e-2},
  }
  for name, fields in changes.items():
    config = helpers.digits(**fields, **{'eval.pseudo': False})
    path = helpers.write_config(tmp_path / f'{name}.py', config)
    code, _, err = helpers.run(
      f'--config={path}', f'--workdir={tmp_path / name}'
    )
    assert code == 0, err
  comparison = differences.compare(
    [str(tmp_path / 'one'), str(tmp_path / 'two')], 40
  )
  assert [row['name'] for row in comparison['entries']] == [
    'one: MemAE, slots 3',
    'one: MemAE, slots 5',
    'one: AE',
    'two: MemAE',
  ]
  assert comparison['entries'][0]['difference'] is None
  assert [r['difference']['pairs'] for r in comparison['entries'][1:]] == [
    2,
    2,
    1,
  ]
  gap = _entry(comparison, 'one: AE')['difference']['metrics']['auroc']
  low, high = gap['ci95']
  assert low <= gap['mean'] <= high and gap['n_runs'] == 2
  (mean, other) = (
    row['metrics']['auroc']['mean']
    for row in (comparison['entries'][2], comparison['entries'][0])
  )
  assert gap['mean'] == pytest.approx(mean - other)
  assert comparison['config']['train.learning_rate'] == {
    'one': 1e-3,
    'two': 1e-2,
  }
  assert page.config_fields(comparison) == []
  f1 = _entry(comparison, 'one: AE')['difference']['metrics']['f1_at_ratio']
  assert f1['ci95'] is None and f1['ci95_runs'] is None and f1['n_runs'] == 2
  text = page.write(comparison, tmp_path / 'page').read_text()
  assert 'Two runs: no interval.' in text


def test_another_reference(tmp_path):
  networks = [
    finished.replica('memae', s, slots=n) for n in (3, 5) for s in (0, 1)
  ]
  networks += [finished.replica('ae', seed) for seed in (0, 1)]
  finished.write(tmp_path / 'one', networks=networks)
  finished.write(tmp_path / 'two')
  both = [str(tmp_path / 'one'), str(tmp_path / 'two')]
  for wanted in ('MemAE, slots 5', 'one: MemAE, slots 5', 'slots 5'):
    comparison = differences.compare(both, 0, wanted)
    assert comparison['reference'] == 'one: MemAE, slots 5'
  comparison = differences.compare(both[:1], 0, 'AE')  # Not MemAE.
  assert comparison['reference'] == 'AE'
  assert _entry(comparison, 'MemAE, slots 3')['difference']['pairs'] == 2
  for wanted, words in (('slots', 'fits 2 of'), ('vae', 'fits none of')):
    with pytest.raises(errors.UserError, match=words):
      differences.compare(both[:1], 0, wanted)


@pytest.mark.parametrize(
  'key,words',
  [('data_sha256', 'the data differ'), ('label_sha256', 'the data differ')],
)
def test_other_samples_are_not_paired(made, tmp_path, key, words):
  shutil.copytree(made / 'b', tmp_path / 'other')
  results = json.loads((made / 'b/results.json').read_text())
  results['dataset'][key] = 'another'
  (tmp_path / 'other/results.json').write_text(json.dumps(results))
  comparison = differences.compare(
    [str(made / 'b'), str(tmp_path / 'other')], 10
  )
  gap = _entry(comparison, 'other: MemAE')['difference']
  assert gap['pairs'] == 0 and not gap['metrics']
  assert gap['reason'] == f'not the same samples: {words}'
  assert gap['reason'] in page.write(comparison, tmp_path / 'page').read_text()
