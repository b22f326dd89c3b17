"""Cells and notes that pages on several runs have in common."""

import pytest

from memae_jax.comparison import layout


@pytest.mark.parametrize(
  ('value', 'text'),
  [
    (None, '—'),
    (12.345, '12.3 s'),
    (90, '1.5 min'),
    (60 * 90, '1.5 h'),
  ],
)
def test_durations(value, text):
  assert layout.seconds(value) == text


def test_sizes():
  assert (layout.gib(None), layout.gib(3 * 2**29)) == ('—', '1.50 GiB')


@pytest.mark.parametrize(
  ('value', 'text'),
  [('memae', 'MemAE'), (1e-4, '0.0001'), (True, 'yes'), (None, '—')],
)
def test_values_of_fields(value, text):
  assert layout.field_text(value) == text


def test_tables_are_aligned():
  table = layout.format_table(('name', 'n'), [('a', '10'), ('longer', '')])
  assert table == 'name    n\na       10\nlonger'


def test_tables_of_events_and_places_have_what_is_defined():
  value = lambda mean: {'mean': mean}
  summaries = {
    'one': {'event_f1': value(0.5), 'aupro': value(None), 'auroc': value(1.0)},
    'two': {'auroc_pixel_criterion': value(0.25), 'event_f1': value(None)},
  }
  events, places = layout.by_kind(summaries)
  title, heads, ((name, (cell,)),) = events
  assert (title, heads, name) == ('Events and alarms', ['Event F1'], 'one')
  assert cell['mean'] == '0.500'
  title, heads, ((name, (cell,)),) = places
  assert heads == ['AUROC, pixel criterion'] and name == 'two'
  assert layout.by_kind({'one': {'auroc': value(1.0)}}) == []
  further = layout.further(list(summaries.values()), ['event_f1'])
  assert further == ['aupro', 'auroc_pixel_criterion']


def test_defects_by_area_have_a_table():
  metrics = {'defect_threshold': 0.00024681, 'accuracy_mean_quarter': 0.25,
             'region_overlap': None, 'accuracy_mean': 0.5}  # fmt: skip
  summaries = {'one': {name: {'mean': v} for name, v in metrics.items()}}
  ((title, heads, ((_, cells),)),) = layout.by_kind(summaries)
  assert title == 'Defects by area'
  assert heads == ['Threshold by area', 'Accuracy, mean']
  assert [cell['mean'] for cell in cells] == ['0.0002468', '0.500']


def test_the_note_names_what_intervals_are_over():
  rows = [
    {
      'metrics': {'auroc': {'mean': 0.5, 'n': 3, 'of': 'seeds', 'ci95': (0, 1)}}
    },
    {
      'metrics': {
        'auroc': {'mean': 0.5, 'n': 1, 'of': 'videos', 'ci95': (0, 1)}
      }
    },
    {'metrics': {}},
  ]
  note = layout.interval_note(rows, ['auroc'])
  assert note.startswith('Brackets: 95% interval over seeds, of means')
  assert ' or test videos of one run' in note
  assert layout.interval_note([{'metrics': {}}], ['auroc']) == ''
