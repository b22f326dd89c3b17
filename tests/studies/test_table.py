"""The best points of a study, and its file."""

import csv
import io
import json

import numpy as np

from memae_jax.comparison import finished_run
from memae_jax.studies import table as study_table
from tests import finished
from tests.studies import tables


def _row(variant, auroc, error, pseudo=None):
  metrics = {'auroc': {'mean': auroc}, 'pseudo_auroc': {'mean': pseudo}}
  row = tables.row(variant=variant)
  return row | {'metrics': metrics, 'validation_error': error}


def test_each_rule_has_its_best_point():
  rows = [_row('memae', 0.9, 0.5), _row('ae', 0.8, 0.1), tables.row()]
  by_rule = {e['rule']: e for e in study_table.best(rows, 'auroc', True)}
  assert by_rule['validation_error']['point'] == 1
  assert by_rule['validation_error']['metric'] == {'mean': 0.8}
  assert by_rule['oracle']['point'] == 0 and by_rule['oracle']['oracle']
  assert by_rule['pseudo_auroc']['point'] is None
  assert by_rule['pseudo_auroc']['reason'] == 'no finished point defines it'


def test_other_data_leave_the_oracle_alone():
  rows = [_row('memae', 0.9, 0.5, 0.7)]
  by_rule = {e['rule']: e for e in study_table.best(rows, 'auroc', False)}
  assert by_rule['oracle']['point'] == 0
  for rule in ('validation_error', 'pseudo_auroc'):
    assert 'not trained on the same data' in by_rule[rule]['reason']


def test_the_lowest_value_is_the_best_of_some_metrics():
  rows = [tables.row() | {'metrics': {'eer': {'mean': m}}} for m in (0.3, 0.1)]
  (*_, oracle) = study_table.best(rows, 'eer', True)
  assert oracle['point'] == 1 and oracle['value'] == 0.1


def test_events_of_runs_and_places_have_columns(tmp_path):
  finished.write(tmp_path / 'run', is_video=True)
  replicas = finished_run.read(tmp_path / 'run').replicas[:2]
  row = _row('memae', 0.9, 0.5)
  row['metrics'] = finished_run.summary(replicas, 0) | {'rbdc': {'mean': 0.5}}
  (found,) = csv.DictReader(
    io.StringIO(study_table.as_csv(tables.table([row])))
  )
  for name in ('event_f1', 'event_recall', 'false_alarms'):
    mean = np.mean([replica.metrics[name] for replica in replicas])
    assert float(found[name]) == mean and found[f'{name}_n'] == '2'
  assert found['rbdc'] == '0.5' and 'tbdc' not in found


def test_a_csv_row_for_each_point():
  one = _row('memae', 0.9, 0.5) | {'published': 0.95}
  one['metrics']['auroc'] |= {'ci95': [0.8, 1.0], 'n': 3, 'of': 'seeds'}
  two = tables.row(variant='ae', widths=[3, 4]) | {'state': 'failed'}
  text = study_table.as_csv(tables.table([one, two]))
  first, second = csv.DictReader(io.StringIO(text))
  assert (first['auroc'], first['auroc_low'], first['auroc_n']) == (
    '0.9',
    '0.8',
    '3',
  )
  assert first['auroc_published'] == '0.95' and first['widths'] == ''
  assert second['auroc'] == '' and second['state'] == 'failed'
  assert json.loads(second['widths']) == [3, 4]
