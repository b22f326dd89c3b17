"""Names, sentences and rows of a study, from a table made by hand."""

from memae_jax.studies import page
from tests.studies import tables


def test_points_are_named_by_what_varies():
  varying = ['variant', 'model.memory.slots']
  row = tables.row(variant='memae', **{'model.memory.slots': 50})
  assert page.title_of(row, varying) == 'MemAE, slots 50'
  assert page.title_of(row | {'label': 'the paper'}, varying) == 'the paper'
  assert page.title_of(tables.row(), varying) == 'base'


def test_counts_say_what_is_not_finished():
  table = tables.table([tables.row(), tables.row()])
  assert page.counts(table).startswith('2 points of digits in 1 run; ')
  table['runs'][0]['state'] = 'failed'
  assert 'in 1 run, 0 of them finished; ' in page.counts(table)


def test_the_best_point_has_a_sentence():
  table = tables.table([tables.row(variant='ae'), tables.row(variant='memae')])
  entry = {'rule': 'oracle', 'point': 1, 'metric': {'mean': 0.9}}
  said = page.sentence(entry, table)
  assert said.startswith('Oracle') and said.endswith('MemAE, AUROC 0.9000.')
  entry = {'rule': 'pseudo_auroc', 'point': None, 'reason': 'nothing was done'}
  said = page.sentence(entry, table)
  assert said.endswith('undefined, because nothing was done.')


def test_events_have_a_table():
  metrics = {'event_f1': {'mean': 0.625}, 'false_alarms': {'mean': 1.5}}
  rows = [
    tables.row(variant=name)
    | {'metrics': metrics if name == 'ae' else {}, 'validation_error': 0.1}
    for name in ('ae', 'memae')
  ]
  run = {'error': None, 'run_replicas': 1, 'attempts': 1, 'wall_seconds': 1.0}
  run |= {'wall_seconds_is_lower_bound': False, 'training_seconds': 1.0}
  table = tables.table(rows) | {'best': [], 'baselines': {}}
  table['runs'][0] |= run | {'peak_memory_bytes': None}
  seen = page.study(table).partition('<main>')[2]
  after = seen.partition('Events and alarms')[2].partition('Every run')[0]
  assert 'False alarms per 1,000 frames (lower' in after and '0.625' in after
  assert 'MemAE' not in after  # It has none.


def test_the_terminal_has_a_row_for_each_point():
  memory = {'used': 7.0, 'dead_read_rate': 0.25}
  done = tables.row(variant='memae') | {
    'metrics': {'auroc': {'mean': 0.9, 'std': 0.1, 'ci95': [0.8, 1.3]}},
    'memory': memory,
  }
  failed = tables.row(variant='ae') | {'state': 'failed'}
  heads, rows = page.terminal(tables.table([done, failed]))
  assert heads[:3] == ['point', 'AUROC', '95% interval']
  assert rows == [
    ['MemAE', '0.9000 ± 0.1000', '[0.8000, 1.0000]', '7', '25.0%', 'finished'],
    ['AE', '—', '—', '—', '—', 'failed'],
  ]
