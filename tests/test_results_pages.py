"""Numbers on the pages of results are those of docs/results/data."""

import importlib.util
import json
import re
import sys

import pytest
from PIL import Image

from tests import helpers

_FOLDER = helpers.ROOT / 'docs/results'


def _load(name: str):
  """Loads a script; it may import those that were loaded before."""
  spec = importlib.util.spec_from_file_location(name, _FOLDER / f'{name}.py')
  sys.modules[name] = module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.fixture(scope='module', name='scripts')
def _scripts():
  """The scripts by name; they import each other as they lie in one folder."""
  before = dict(sys.modules)
  names = ('kinds', 'tables', 'extract', 'draw')
  yield {name: _load(name) for name in names}
  for name in (*names, 'extract_picture'):
    sys.modules.pop(name, None)
    if name in before:
      sys.modules[name] = before[name]


@pytest.fixture(scope='module', name='tables')
def _tables(scripts):
  return scripts['tables']


def test_tables_are_those_of_the_data(tables):
  faults = {
    page.name: tables.faults(page.read_text()) for page in tables.pages()
  }
  assert not any(faults.values()), (
    f'{faults}: run python docs/results/tables.py'
  )


def _changed(body: str) -> str:
  """Changes the last digit of the last number of a table."""
  *_, last = re.finditer(r'\d(?=\D*$)', body)
  digit = str((int(last.group()) + 1) % 10)
  return body[: last.start()] + digit + body[last.end() :]


def test_one_changed_number_is_found_in_each_table(tables):
  count = 0
  for page in tables.pages():
    text = page.read_text()
    for block in tables.BLOCK.finditer(text):
      start, end = block.span('body')
      wrong = text[:start] + _changed(block['body']) + text[end:]
      faults = tables.faults(wrong)
      assert len(faults) == 1 and faults[0].startswith(block['of']), faults
      count += 1
  assert count > 60


@pytest.mark.parametrize(
  ('text', 'fault'),
  [
    ('| MemAE | 0.9 |\n', 'no data file'),
    ('<!-- table: mnist.main -->\n| MemAE | 0.9 |\n', 'no "<!-- end -->"'),
    ('<!-- table: mnist.main -->\n<!-- end -->\n', 'lines are missing'),
  ],
)
def test_faults_of_a_page(tables, text, fault):
  assert fault in ' '.join(tables.faults(text))


@pytest.mark.parametrize(
  'reference', ['nothing.main', 'mnist.nothing', 'mnist.main | nothing']
)
def test_what_no_file_has_is_an_error(tables, reference):
  with pytest.raises(tables.Error, match='nothing'):
    tables.table(reference)


def test_a_kind_of_data_whose_best_has_changed_is_refused(tables, monkeypatch):
  """The words of its row were written for another method."""
  kinds = tables.kinds
  (row,) = (kind for kind in kinds.KINDS if kind.files == ('motion',))
  assert tables.measured(row)['Bank'][0] == tables.mean(
    tables.column('motion', row.column)['Bank']
  )
  page = (helpers.ROOT / 'docs/which.md').read_text()
  assert all(f'--config=configs/{kind.first}' in page for kind in kinds.KINDS)
  monkeypatch.setattr(kinds, 'KINDS', (row._replace(best='MemAE'),))
  with pytest.raises(tables.Error, match='the best is Bank, not MemAE'):
    tables.table('kinds')


def test_every_file_and_table_is_on_a_page(tables, scripts):
  used = {
    reference
    for page in tables.pages()
    for reference in tables.references(page.read_text())
  }
  pictured = {
    name for names in scripts['draw'].sources().values() for name in names
  }
  for path in sorted(tables.DATA.iterdir()):
    assert path.suffix == '.json' and path.stat().st_size < 200_000, path
    file = json.loads(path.read_text())
    assert file['source']
    if 'tables' in file:
      assert (path.stem, '') in used, f'no page says how {path.stem} was run'
      for name in file['tables']:
        assert (path.stem, name) in used, f'no page has {path.stem}.{name}'
    else:
      assert path.stem in pictured


@pytest.mark.parametrize('name', ['README.md', 'RESULTS.md'])
def test_numbers_in_the_text_are_in_the_data(tables, name):
  """Those with three digits or more, of the results."""
  text = (helpers.ROOT / name).read_text()
  if name == 'README.md':
    text = text[text.index('## Results') : text.index('## Use')]
  known = set()
  more = {'mnist_ablation', 'mnist_blur', 'mnist_blur_200', 'motion'}
  more |= {'motion_smoothed', 'motion_smoothed_7'}
  for file in {row.file for row in tables.SUMMARY} | more:
    for table in tables.read(file)['tables']:
      known |= set(re.findall(_NUMBER, tables.table(f'{file}.{table}')))
  said = re.findall(_NUMBER, tables.BLOCK.sub('', text))
  assert len(said) > (10 if name == 'README.md' else -1)
  assert not set(said) - known


_NUMBER = r'(?<![\d.])[+-]?\d\.\d{3,}'


def test_pictures_are_of_the_data(scripts):
  draw = scripts['draw']
  for path, names in draw.sources().items():
    with Image.open(path) as picture:
      said = picture.text['Description']
    assert said == f'data {draw.digest(names)}', (
      f'{path.name} is older than its data: run python docs/results/draw.py'
    )


def test_cells_are_written_with_the_digits_of_the_file(tables):
  cell = {'mean': 0.12345, 'std': 0.01, 'ci95': [0.1, 0.15]}
  assert tables.show(cell, 3) == '0.123 ± 0.010 [0.100, 0.150]'
  assert tables.show(cell, 3, interval=False) == '0.123 ± 0.010'
  assert tables.show({'difference': 0.25, 'ci95': [-0.5, 1.0]}) == (
    '+0.25 [-0.5, +1.0]'
  )
  assert tables.show({'mean': 0.5, 'ci95': [0.4, 0.6]}, 2, interval=False) == (
    '0.50 [0.40, 0.60]'
  )
  assert [tables.show(v) for v in (None, 'a / b', 65536)] == [
    *('', 'a / b', '65,536')
  ]


def _results():
  """Results of a run of two methods beside two baselines."""
  one = lambda mean: {'mean': mean, 'std': 0.01, 'n': 2, 'ci95': None}
  return {
    'methods': {
      'memae': {'auroc': one(0.912345678)},
      'ae': {'auroc': one(0.8)},
    },
    'baselines': {'random': {'auroc': one(0.5)}, 'pca': {'auroc': one(0.7)}},
    'differences': {'memae - ae': {'auroc': one(0.112345678)}},
    'memory': {},
    'classes': {},
    'paper': {
      'variants': {'memae': {'auroc': 0.975}, 'ae': {}},
      'others': {},
    },
    'config': {'train': {'seed': 3}, 'fleet': {'seeds': 2}},
    'replicas': [{}] * 4,
    'throughput': {'training_seconds': 12.3},
    'environment': {
      'commit': 'abc1234',
      'device': 'cpu',
      'machine': 'x86_64',
      'mesh': {'replica': 2, 'data': 1},
      'versions': {'jax': '0.10.2'},
      'peak_memory': {'host_bytes': 2**30},
    },
  }


def test_a_file_of_a_run(scripts, tables, tmp_path, monkeypatch):
  """Such a file has the numbers of results.json, all digits of them."""
  results = _results()
  monkeypatch.setattr(tables, 'DATA', tmp_path)
  file = scripts['extract'].extract(results, ['auroc'], ['python -m x'])
  scripts['extract'].write('made', file)
  assert tables.table('made.main').splitlines()[2:] == [
    '| MemAE | 0.9123 ± 0.0100 | 0.9750 |',
    '| AE | 0.8000 ± 0.0100 |  |',
    '| PCA | 0.7000 ± 0.0100 |  |',
    '| Random scores | 0.5000 ± 0.0100 |  |',
  ]
  assert '| MemAE - AE | +0.1123 |' in tables.table('made.pairs')
  assert 'seeds 3 to 4' in tables.run('made')
  assert '0.912345678' in (tmp_path / 'made.json').read_text()


def test_methods_of_another_run_stand_above_the_baselines(scripts):
  extract, results = scripts['extract'], _results()
  file = extract.extract(results, ['auroc'], ['python -m x'])
  other = _results() | {'paper': None}
  del other['methods']['ae']
  extract.add_run(file, other, ['auroc'], {'memae': 'MemAE again'}, 2)
  rows = file['tables']['main']['rows']
  assert [row[0] for row in rows] == [
    'MemAE', 'AE', 'MemAE again', 'PCA', 'Random scores',
  ]  # fmt: skip
  assert rows[2][1:] == [{'mean': 0.912345678, 'std': 0.01}, None]
  assert 'these runs' in file['source'] and '; then 12 s' in file['time']


def test_seconds_are_those_of_each_family(scripts):
  results = _results() | {
    'replicas': [{'fields': {'variant': v}} for v in ('memae', 'memae', 'ae')],
    'families': {
      'ae': {'methods': ['ae'], 'throughput': {'scoring_seconds': 2.6}}
    },
  }
  assert scripts['extract'].cost(results, {'ae': 'mine'}) == [
    ['MemAE', 2, 12, None],
    ['mine', 1, None, 3],
  ]


def test_events_of_videos_are_a_table(scripts, tables, tmp_path, monkeypatch):
  """What no row has is left out: here seconds, as the rate is not known."""
  one = lambda mean: {'mean': mean, 'std': None, 'ci95': None}
  values = lambda f1: {
    'event_f1': one(f1),
    'event_f1_50': one(f1 / 2),
    'detection_delay': one(4.26),
    'detection_delay_seconds': one(None),
    'event_f1_all_positive': one(0.75),
  }
  results = _results() | {
    'methods': {'memae': values(0.5)},
    'baselines': {
      'random': values(0.1),
      'frame_difference': values(0.25) | {'rbdc': one(0.125)},
    },
    'replicas': [],
  }
  monkeypatch.setattr(tables, 'DATA', tmp_path)
  file = {'tables': {'events': scripts['extract'].events(results)}}
  scripts['extract'].write('made', file)
  assert tables.table('made.events').splitlines() == [
    '| method | F1 | F1 at 50 % | delay, frames | RBDC |',
    '| --- | ---: | ---: | ---: | ---: |',
    '| MemAE | 0.500 | 0.250 | 4.3 |  |',
    '| Every frame flagged | 0.750 |  |  |  |',
    '| Frame difference | 0.250 | 0.125 | 4.3 | 0.125 |',
    '| Random scores | 0.100 | 0.050 | 4.3 |  |',
  ]


def test_points_of_a_study_are_rows_by_what_they_differ_in(scripts):
  extract = scripts['extract']
  point = lambda auroc, label='', **fields: {
    'label': label,
    'fields': {f'a.{name}': value for name, value in fields.items()},
    'metrics': {'auroc': {'mean': auroc, 'std': None}},
  }
  points = [
    point(0.5, slots=10, kind='x'),
    point(0.6, slots=1000, kind='x', density=6.0),
    point(0.7, slots=1000, kind='x', density=0.5),
  ]
  made = extract.table_of_points(points, ['auroc'])
  assert made['columns'][:2] == ['slots', 'density']  # All are of one kind.
  assert [row[:2] for row in made['rows']] == [
    ['10', ''],
    ['1,000', '6'],
    ['1,000', '0.5'],
  ]
  crossed = extract.crossed(points, 'auroc', 'a.density')
  assert crossed['columns'] == ['slots', '', 'density 0.5', 'density 6']
  means = [[c and c['mean'] for c in row[1:]] for row in crossed['rows']]
  assert means == [[0.5, None, None], [None, 0.7, 0.6]]
  labelled = [point(0.5, 'one', slots=1), point(0.6, 'two', slots=2)]
  assert extract.table_of_points(labelled, ['auroc'])['columns'][0] == 'point'


@pytest.mark.slow
def test_the_picture_of_digits_from_a_run(scripts, tmp_path):
  argument = 'smoke,variant=memae+ae'
  code, _, err = helpers.run(
    f'--config=configs/digits.py:{argument}',
    f'--workdir={tmp_path / "run"}',
    '--config.eval.baselines=()',
  )
  assert code == 0, err
  file = _load('extract_picture').extract_picture(tmp_path / 'run')
  stored = scripts['tables'].read(scripts['draw'].PICTURED)
  assert file['shown']['label'] == stored['shown']['label']
  assert set(file['shown']['reconstruction']) == {'MemAE', 'AE'}
  assert file['anomalous'] == stored['anomalous']
