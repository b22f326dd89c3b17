"""Writes the tables of the result pages from the files in data/.

python docs/results/tables.py            writes them into the pages
python docs/results/tables.py --check    names what differs, and exits with 1

In a page, each of these begins a block that ends with `<!-- end -->`:

`<!-- table: FILE.TABLE -->` is a table of data/FILE.json;
`<!-- table: FILE.TABLE | COLUMN | COLUMN -->` has these columns of it only;
`<!-- table: summary -->` is the table of README;
`<!-- table: choices -->` is that of scores and memories;
`<!-- table: kinds -->` is that of kinds of data, whose rows are in kinds.py;
`<!-- table: reproduced -->` is that of README, as pages in docs/ link it;
`<!-- run: FILE -->` says by which command and on what the numbers were made.

A data file has `tables`, each with `columns`, `rows` and, where its numbers are
longer than pages show them, `digits`, one for all columns or one per column. A
cell is a text, a number, null, or an
object with a `mean` or a `difference` and its `std` and `ci95`.
"""

import argparse
import decimal
import functools
import json
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import kinds

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(__file__).resolve().parent / 'data'
BLOCK = re.compile(
  r'(?P<start><!-- (?P<kind>table|run): (?P<of>.+?) -->\n)'
  r'(?P<body>(?:(?!<!--).)*?)(?P<end><!-- end -->)',
  re.DOTALL,
)
START = re.compile(r'<!-- (?:table|run): ')
_PAGES = ('published', 'scores_and_memories', 'which')  # In docs/.
NETWORKS = ('MemAE', 'MemAE-nonSpar', 'AE')
# Rows that begin so are networks of this project; the others are their rivals.
_NO_RIVALS = (*NETWORKS, 'Denoising', 'Variational')

Cell = str | int | float | decimal.Decimal | Mapping[str, Any] | None


class Error(Exception):
  """A page or a data file is wrong."""


class Row(NamedTuple):
  """A row of README's table.

  Attributes:
    label: the data, the measure and the number of runs.
    file: in data/.
    column: of its table `main`, with the number that is compared.
    paper: column with the number of the paper, or nothing.
    page: in docs/results/, that tells more.
  """

  label: str
  file: str
  column: str
  paper: str
  page: str


SUMMARY = (
  Row(
    'KDDCUP99 10 %, F1 at the top 20 %, 20 runs',
    *('kddcup99', 'F1', 'paper F1', 'kddcup99.md'),
  ),
  Row(
    'the same by the plain recipe (min-max scaling), 5 runs',
    *('kddcup99_plain', 'F1', 'paper F1', 'kddcup99.md'),
  ),
  Row(
    'MNIST, one class normal, AUROC, 10 classes x 3 seeds',
    *('mnist', 'AUROC', 'paper', 'mnist.md'),
  ),
  Row(
    'CIFAR-10 (part of it), one class normal, AUROC, 10 classes x 3 seeds',
    *('cifar10', 'AUROC', 'paper', 'cifar10.md'),
  ),
  Row(
    'UCSD Ped2 at 128 px, 1 epoch, AUROC normalised per video, 1 run',
    *('ped2_128', 'AUROC, normalised per video', 'paper (256 px)', 'ped2.md'),
  ),
  Row(
    'Digits 8x8, one class normal, AUROC, 10 classes x 5 seeds',
    *('digits', 'AUROC', '', 'digits.md'),
  ),
)


class Choice(NamedTuple):
  """A row of the table of scores and memories.

  Attributes:
    data: data set and measure.
    compared: what the score compares.
    memory: of normal samples.
    file: in data/.
    column: of its table `main`.
    method: row of that table.
  """

  data: str
  compared: str
  memory: str
  file: str
  column: str
  method: str


_STROKES, _SURFACE = 'MNIST, AUROC', 'screw, pixel AUROC'
_VIDEOS, _PER_VIDEO = 'Ped2, AUROC of frames', 'AUROC, normalised'
_BLURRED, _POSITIONS = 'blurred images of norm 1', '3,276 of its positions'
CHOICES = (
  Choice(_STROKES, 'pixels', 'none: AE', 'mnist', 'AUROC', 'AE'),
  Choice(_STROKES, 'pixels', '100 slots of MemAE', 'mnist', 'AUROC', 'MemAE'),
  Choice(
    *(_STROKES, _BLURRED, 'none: a Gaussian'),
    *('mnist_bank', 'AUROC', 'Gaussian of features'),
  ),
  Choice(_STROKES, _BLURRED, 'none: AE', 'mnist_blur', 'AUROC', 'AE'),
  Choice(
    *(_STROKES, _BLURRED, '100 slots of MemAE'),
    *('mnist_blur', 'AUROC', 'MemAE'),
  ),
  Choice(
    *(_STROKES, _BLURRED, '100 centres of k-means'),
    *('mnist_bank', 'AUROC', 'Bank'),
  ),
  Choice(
    *(_STROKES, _BLURRED, 'all samples, five neighbours'),
    *('mnist_bank_all', 'AUROC', 'Bank'),
  ),
  Choice(
    *(_STROKES, 'these and `lite0` (ImageNet labels)'),
    *('all samples, five neighbours', 'mnist_parts', 'AUROC', 'Bank'),
  ),
  Choice(
    *(_SURFACE, 'deviation of 3 x 3 pixels', 'none'),
    *('screw_bank', 'Pixel AUROC', 'Local deviation, 3 x 3'),
  ),
  Choice(
    *(_SURFACE, 'patches of pixels', _POSITIONS),
    *('screw_patches', 'Pixel AUROC', 'Bank'),
  ),
  Choice(
    *(_SURFACE, '`lite0` (ImageNet labels)', _POSITIONS),
    *('screw_bank', 'Pixel AUROC', 'Bank'),
  ),
  Choice(
    *(_VIDEOS, 'speed of cells', 'none: AE', 'motion', _PER_VIDEO, 'AE'),
  ),
  Choice(
    *(_VIDEOS, 'speed of cells', 'none: the speed itself'),
    *('motion', _PER_VIDEO, 'Speed without a bank'),
  ),
  Choice(
    *(_VIDEOS, 'speed of cells', '200 slots of MemAE at each position'),
    *('motion', _PER_VIDEO, 'MemAE'),
  ),
  Choice(
    *(_VIDEOS, 'speed of cells', '5,000 cells'),
    *('motion', _PER_VIDEO, 'Bank'),
  ),
)


def read(name: str) -> Mapping[str, Any]:
  """Returns a file of data/, its numbers with the digits that it has."""
  return _read(DATA / f'{name}.json')


@functools.cache
def _read(path: pathlib.Path) -> Mapping[str, Any]:
  if not path.exists():
    raise Error(f'there is no {path.name} in docs/results/data')
  return json.loads(path.read_text(), parse_float=decimal.Decimal)


def pages() -> list[pathlib.Path]:
  """Returns the pages that have tables of data."""
  return [
    ROOT / 'README.md',
    ROOT / 'RESULTS.md',
    *(ROOT / 'docs' / f'{name}.md' for name in _PAGES),
    *sorted((ROOT / 'docs/results').glob('*.md')),
  ]


def number(value: Any, digits: int | None = None, sign: bool = False) -> str:
  """Writes a number with its own digits, or with as many as asked for."""
  plus = '+' if sign else ''
  if isinstance(value, int):
    return f'{value:{plus},}'
  value = decimal.Decimal(str(value))
  return f'{value if digits is None else round(value, digits):{plus}f}'


def show(cell: Cell, digits: int | None = None, interval: bool = True) -> str:
  """Writes a cell, as far as it has them: "mean ± deviation [lower, upper]".

  Args:
    cell: of a data file.
    digits: behind the point; None: as many as the file has.
    interval: whether to write an interval beside a deviation.
  """
  if not isinstance(cell, Mapping):
    is_text = cell is None or isinstance(cell, str)
    return (cell or '') if is_text else number(cell, digits)
  sign = 'difference' in cell
  parts = [
    number(cell[k], digits, sign) for k in ('mean', 'difference') if k in cell
  ]
  if 'std' in cell:
    parts.append(f'± {number(cell["std"], digits)}')
  if 'ci95' in cell and (interval or 'std' not in cell):
    low, high = (number(v, digits, sign) for v in cell['ci95'])
    parts.append(f'[{low}, {high}]')
  return ' '.join(parts)


def markdown(columns: Sequence[str], rows, align: str = '') -> str:
  """Writes a table.

  Args:
    columns: their names.
    rows: of texts, each as long as `columns`.
    align: a letter per column, "r" for numbers that are to end in line.
  """
  rule = ['---:' if a == 'r' else '---' for a in align.ljust(len(columns))]
  lines = [columns, rule, *rows]
  return ''.join('| ' + ' | '.join(line) + ' |\n' for line in lines)


def table(reference: str) -> str:
  """Returns the table that a page calls FILE.TABLE | COLUMN | COLUMN."""
  place, *wanted = (part.strip() for part in reference.split('|'))
  if place in _DRAWN_TOGETHER:
    return _DRAWN_TOGETHER[place]()
  file, _, name = place.partition('.')
  tables = read(file)['tables']
  if name not in tables:
    raise Error(f'data/{file}.json has no table "{name}"')
  columns, digits = tables[name]['columns'], _digits(tables[name])
  align = tables[name].get('align', '').ljust(len(columns))
  if missing := set(wanted) - set(columns):
    raise Error(f'{place} has no column {sorted(missing)}')
  at = [columns.index(w) for w in wanted] or range(len(columns))
  rows = tables[name]['rows']
  if wrong := [row[0] for row in rows if len(row) != len(columns)]:
    raise Error(f'{place}: rows {wrong} are not as long as its columns')
  return markdown(
    [columns[i] for i in at],
    [[show(row[i], digits[i]) for i in at] for row in rows],
    ''.join(align[i] for i in at),
  )


def _digits(one: Mapping[str, Any]) -> Sequence[int | None]:
  """Returns how many digits each column of a table shows; None: all."""
  digits, count = one.get('digits'), len(one['columns'])
  return digits if isinstance(digits, list) else [digits] * count


def column(file: str, name: str) -> dict[str, Cell]:
  """Returns a column of the table `main` of a file, by method."""
  main = read(file)['tables']['main']
  at = main['columns'].index(name)
  return {row[0]: row[at] for row in main['rows']}


def mean(cell: Cell) -> float:
  """Returns the number of a cell, without its deviation and interval."""
  return float(cell['mean'] if isinstance(cell, Mapping) else cell)


def best_rival(values: Mapping[str, Cell]) -> str:
  """Returns the method with the highest number that is no network of ours."""
  rivals = [name for name in values if not name.startswith(_NO_RIVALS)]
  return max(rivals, key=lambda name: mean(values[name]))


def summary(folder: str = 'docs/results') -> str:
  """Returns README's table: the networks, the best simple rival, the paper.

  Args:
    folder: of the pages that it links, from the page where it stands.
  """
  rows = []
  for row in SUMMARY:
    main = read(row.file)['tables']['main']
    digits = _digits(main)[main['columns'].index(row.column)]
    values = column(row.file, row.column)
    rival = best_rival(values)
    paper = column(row.file, row.paper) if row.paper else {}
    # Where networks were trained once, the interval says what is uncertain.
    each = {k: show(v, digits, interval=False) for k, v in values.items()}
    rows.append(
      [
        f'[{row.label}]({folder}/{row.page})',
        *(each[name] for name in NETWORKS),
        f'{rival}: {each[rival]}',
        ' / '.join(show(paper[name]) for name in NETWORKS) if paper else '',
      ]
    )
  last = ['best simple rival', 'the paper, these three']
  return markdown(['data, measure, runs', *NETWORKS, *last], rows)


def choices() -> str:
  """Returns the table of scores and memories, with results side by side."""
  rows = []
  for row in CHOICES:
    main = read(row.file)['tables']['main']
    digits = _digits(main)[main['columns'].index(row.column)]
    cell = column(row.file, row.column)[row.method]
    shown = show(cell, digits, interval=False)
    rows.append([row.data, row.compared, row.memory, shown])
  return markdown(['data, measure', 'compared', 'memory', 'result'], rows)


def measured(kind: kinds.Kind) -> dict[str, tuple[float, str]]:
  """Returns number and text of each method on a kind of data."""
  out: dict[str, tuple[float, str]] = {}
  for file in kind.files:
    tables = read(file)['tables']
    one = tables.get('main') or tables['methods']
    if 'main' in tables:
      digits = _digits(one)[one['columns'].index(kind.column)]
      cells = column(file, kind.column)
    else:
      digits = _digits(one)[1]
      (row,) = (row for row in one['rows'] if row[0] == kind.column)
      cells = dict(zip(one['columns'][1:], row[1:]))
    for name, cell in cells.items():
      if cell is None or name in kinds.NOBODY:
        continue
      new = mean(cell), f'{name}: {show(cell, digits, interval=False)}'
      out[name] = max(new, out.get(name, new))
  return out


def by_kind() -> str:
  """Returns the table of kinds of data, with the best of each sort of method.

  Raises:
    Error: another method than the one that the row describes is the best.
  """
  rows = []
  for kind in kinds.KINDS:
    values = measured(kind)
    best = max(values, key=lambda name: values[name][0], default='')
    if best != kind.best:
      raise Error(f'kinds.py: {kind.data}: the best is {best}, not {kind.best}')
    networks = [
      values[name]
      for name in values
      if name not in kinds.SIMPLE and not name.startswith(kinds.NO_NETWORKS)
    ]
    simple = [values[name] for name in values if name in kinds.SIMPLE]
    rows.append(
      [
        f'{kind.data}, {kind.measure}',
        values[best][1] if best else 'not measured',
        *(kind.score, kind.memory),
        *(max(some, default=(0, ''))[1] for some in (networks, simple)),
        f'`{kind.first}`',
      ]
    )
  return markdown(
    [
      *('kind of data, measure', 'best here', 'its score compares'),
      *('its memory', 'best trained network', 'best simple rival'),
      'config to try first',
    ],
    rows,
  )


_DRAWN_TOGETHER = {
  'summary': summary,
  'reproduced': lambda: summary('results'),
  'choices': choices,
  'kinds': by_kind,
}


def run(name: str) -> str:
  """Says by which commands and on what the numbers of a file were made."""
  file = read(name)
  facts = [f'commit {file["commit"]}'] if 'commit' in file else []
  facts += [file[k] for k in ('seeds', 'device', 'time') if k in file]
  lines = [f'`{command}`' for command in file['commands']]
  said = '; '.join(facts)
  lines += [f'{said[0].upper()}{said[1:]}.'] if facts else []
  lines.append(f'Data: [{name}.json](data/{name}.json), {file["source"]}.')
  return '\\\n'.join(lines) + '\n'


def filled(text: str) -> str:
  """Returns the text of a page with every block as the data have it."""
  made = {'table': table, 'run': run}
  return BLOCK.sub(
    lambda m: m['start'] + made[m['kind']](m['of']) + m['end'], text
  )


def references(text: str) -> Iterator[tuple[str, str]]:
  """Yields file and table ("" for a run) of each block of a page."""
  for match in BLOCK.finditer(text):
    file, _, name = match['of'].split('|')[0].strip().partition('.')
    if file in _DRAWN_TOGETHER:
      rows = {'summary': SUMMARY, 'choices': CHOICES}.get(file, ())
      yield from ((row.file, 'main') for row in rows)
    else:
      yield file, name


def faults(text: str) -> list[str]:
  """Returns what is wrong with the text of a page, a line per block."""
  blocks = list(BLOCK.finditer(text))
  out = []
  if len(blocks) != len(START.findall(text)):
    out.append('a block has no "<!-- end -->"')
  for old, new in zip(blocks, BLOCK.finditer(filled(text))):
    if old['body'] != new['body']:
      right = new['body'].splitlines()
      wrong = [line for line in old['body'].splitlines() if line not in right]
      out.append(f'{old["of"]}: {wrong[0] if wrong else "lines are missing"}')
  if rows := re.findall(r'^\|.*\d\.\d.*\|$', BLOCK.sub('', text), re.MULTILINE):
    out.append(f'numbers in a table that has no data file: {rows[0]}')
  return out


def main() -> int:
  """Writes or checks all pages; returns 1 if something is wrong."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--check', action='store_true')
  check = parser.parse_args().check
  wrong = []
  for page in pages():
    name, text = page.relative_to(ROOT), page.read_text()
    try:
      if not check:
        page.write_text(text := filled(text))
      wrong += [f'{name}: {fault}' for fault in faults(text)]
    except Error as error:
      wrong.append(f'{name}: {error}')
  print('\n'.join(wrong), end='\n' * bool(wrong), file=sys.stderr)
  return int(bool(wrong))


if __name__ == '__main__':
  sys.exit(main())
