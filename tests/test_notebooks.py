"""Notebooks of docs/ run as they are stored and print what is stored."""

import json
import math
import os
import re

import pytest

from tests import helpers

_FOLDER = helpers.ROOT / 'docs/notebooks'
_NOTEBOOKS = sorted(_FOLDER.glob('*.ipynb'))
_NUMBER = re.compile(r'\d+(?:\.\d+)?')
_APART = 0.05  # Most of shares and AUROCs, and relative of larger numbers.
_LARGEST = 60_000  # Bytes of a picture, as text in base 64 a third more.
_OWN = ('XLA_FLAGS',)  # Tests compile badly but fast; a notebook does not.

every = pytest.mark.parametrize('path', _NOTEBOOKS, ids=lambda path: path.stem)


def _cells(path):
  return json.loads(path.read_text())['cells']


def _outputs(cells):
  return [output for cell in cells for output in cell.get('outputs', [])]


def _printed(cells):
  """Returns the text that each cell prints."""
  return [
    ''.join(
      ''.join(output['text'])
      for output in cell.get('outputs', [])
      if output['output_type'] == 'stream'
    )
    for cell in cells
  ]


def _differences(stored, fresh):
  """Returns lines of two texts that differ by more than numbers may."""
  before, after = stored.splitlines(), fresh.splitlines()
  if len(before) != len(after):
    return [f'{len(before)} lines are stored, {len(after)} are printed']
  out = []
  for one, other in zip(before, after):
    numbers = zip(_NUMBER.findall(one), _NUMBER.findall(other))
    near = (
      math.isclose(float(a), float(b), rel_tol=_APART, abs_tol=_APART)
      for a, b in numbers
    )
    if _NUMBER.sub('#', one) != _NUMBER.sub('#', other) or not all(near):
      out.append(f'stored: {one}; printed: {other}')
  return out


def test_numbers_may_differ_a_little_and_words_may_not():
  assert not _differences('AUROC 0.95 of 40\n', 'AUROC 0.97 of 41\n')
  assert _differences('AUROC 0.95', 'AUROC 0.89')
  assert _differences('of 40', 'of 50')
  assert _differences('AUROC 0.95', 'F1 0.95')
  assert _differences('AUROC 0.95', '')


@every
def test_outputs_are_stored_small_and_name_no_place(path):
  cells = _cells(path)
  assert cells[0]['cell_type'] == 'markdown' and 'You learn' in ''.join(
    cells[0]['source']
  )
  outputs = _outputs(cells)
  kinds = {output['output_type'] for output in outputs}
  assert kinds <= {'stream', 'display_data'}, kinds
  assert not any(output.get('name') == 'stderr' for output in outputs)
  pictures = [o['data']['image/png'] for o in outputs if 'data' in o]
  assert pictures and max(map(len, pictures)) < _LARGEST * 4 / 3
  printed = ''.join(_printed(cells))
  words = json.dumps([cell['source'] for cell in cells]) + printed
  assert not re.search(r'/(home|tmp|root|work|usr)/|warning', words.lower())
  assert 'AUROC' in printed


@every
def test_links_of_a_notebook(path):
  text = '\n'.join(
    ''.join(c['source']) for c in _cells(path) if c['cell_type'] == 'markdown'
  )
  for target in re.findall(r'\]\(([^)#:]+)\)', text):
    assert (path.parent / target).exists(), target


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')  # Those of Jupyter.
@every
def test_a_notebook_prints_what_is_stored(path, tmp_path):
  """Runs it in a fresh kernel, in an empty folder."""
  nbclient = pytest.importorskip('nbclient', reason='needs nbclient')
  pytest.importorskip('ipykernel', reason='needs ipykernel')
  import nbformat

  stored = nbformat.read(path, as_version=4)
  fresh = nbformat.read(path, as_version=4)
  for cell in fresh.cells:
    if cell.cell_type == 'code':
      cell.outputs = []
  environment = {k: v for k, v in os.environ.items() if k not in _OWN}
  here = os.pathsep.join([str(helpers.ROOT), environment.get('PYTHONPATH', '')])
  environment['PYTHONPATH'] = here.rstrip(os.pathsep)
  nbclient.NotebookClient(
    fresh,
    timeout=600,
    coalesce_streams=True,
    kernel_name='python3',
    resources={'metadata': {'path': str(tmp_path)}},
  ).execute(env=environment)
  kinds = [
    [{o.output_type for o in cell.get('outputs', [])} for cell in of.cells]
    for of in (stored, fresh)
  ]
  assert kinds[0] == kinds[1]
  differences = [
    line
    for pair in zip(_printed(stored.cells), _printed(fresh.cells))
    for line in _differences(*pair)
  ]
  assert not differences, '\n'.join(differences)
