"""What people read: first lines of docstrings, and "per" where it is meant."""

import ast
import collections
import io
import re
import tokenize

import pytest

from tests import helpers

FOLDERS = ('memae_jax', 'configs', 'launch', 'benchmarks')
# A first line starts with a verb ("Reads ...", "Returns whether ...") or names
# the thing ("Weights of ..."); these words do neither.
NO_FIRST_WORD = frozenset(
  'Of As See Those These Which That This What How Why Where Who When Whether'
  ' From With For Into Until Within Over Down On In To By At If Is Each Every'
  ' All Some Something Everything It'.split()
)
# "Steps per second", not "steps a second".
A_FOR_PER = re.compile(
  r'\b(once|twice|times|steps|samples|frames|bytes|[MGK]i?B|images|pictures'
  r'|clips|values?|files?|lines?|columns?|rows?|weights?|numbers?|scores?'
  r'|cores?|seconds|minutes|hours|slots?|seeds?|reads|entries|dollars|alarms'
  r'|channels?|one|two|three|\d[\d,.]*) an? (second|minute|hour|day|step'
  r'|sample|slot|device|replica|frame|class|head|process|core|chip|column'
  r'|batch|line|video|row|read|query|host|machine|family|seed|image|epoch'
  r'|pixel|clip|file|run|cell|group|variant|method|panel|point|job|task)\b'
)


def _sources():
  for folder in FOLDERS:
    yield from sorted((helpers.ROOT / folder).rglob('*.py'))


def _pages():
  yield from sorted(helpers.ROOT.glob('*.md'))
  for folder in ('docs', 'launch'):
    yield from sorted((helpers.ROOT / folder).rglob('*.md'))
  yield from sorted((helpers.ROOT / 'memae_jax').rglob('*.j2'))


def _first_lines(text):
  """Yields (number of the line, first line) of each docstring."""
  kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
  for node in ast.walk(ast.parse(text)):
    if isinstance(node, kinds) and ast.get_docstring(node):
      yield node.body[0].lineno, ast.get_docstring(node).splitlines()[0]


def test_first_lines_start_with_a_verb_or_name_the_thing():
  wrong = []
  for path in _sources():
    for number, line in _first_lines(path.read_text()):
      first = line.split()[0].strip('.,:;')
      if first in NO_FIRST_WORD or line[-1] not in '.:' or len(line) > 76:
        wrong.append(f'{path.relative_to(helpers.ROOT)}:{number}: {line}')
  assert not wrong, '\n' + '\n'.join(wrong)


@pytest.mark.parametrize(
  'line', ['"""Of its folder."""', '"""See `x`."""', '"""Reads it"""']
)
def test_the_lint_finds_what_it_is_for(line):
  ((_, first),) = _first_lines(line)
  assert first.split()[0] in NO_FIRST_WORD or first[-1] not in '.:'


def _prose(path):
  """Yields (number of the line, text) of comments and strings."""
  text = path.read_text()
  if path.suffix != '.py':
    yield from enumerate(text.splitlines(), 1)
    return
  kinds = (tokenize.COMMENT, tokenize.STRING)
  kinds += (getattr(tokenize, 'FSTRING_MIDDLE', tokenize.STRING),)
  for token in tokenize.generate_tokens(io.StringIO(text).readline):
    if token.type in kinds:
      for more, line in enumerate(token.string.splitlines()):
        yield token.start[0] + more, line


def test_per_is_said_where_it_is_meant():
  wrong = collections.defaultdict(list)
  for path in (*_sources(), *_pages()):
    for number, line in _prose(path):
      if match := A_FOR_PER.search(line):
        wrong[f'{path.relative_to(helpers.ROOT)}'].append(
          f'{number}: {match.group()}'
        )
  assert not wrong, dict(wrong)
  assert A_FOR_PER.search('41 steps a second')
  assert not A_FOR_PER.search('41 steps per second')
