"""The page stands alone and says what the results say."""

import html
import json
import re

import numpy as np
import pytest

from memae_jax.evaluation.report import figures, tables
from memae_jax.refereeing import command, given, page, verdict
from memae_jax.runtime import errors
from tests.refereeing import inputs


def _options(folder, videos=True, **changes):
  rng = np.random.default_rng(0)
  y = np.r_[np.zeros(20, int), np.ones(10, int), np.zeros(10, int)]
  files = {
    's.npy': inputs.npy(rng.normal(size=40) + y),
    'l.npy': inputs.npy(y),
    'n.npy': inputs.npy(rng.normal(size=50)),
  }
  inputs.written(folder, files)
  at = lambda name: str(folder / name)
  options = {
    'scores': at('s.npy'),
    'labels': at('l.npy'),
    'normal': at('n.npy'),
    'video_lengths': '30,10' if videos else '',
    'output': at('out'),
    'settings': {'bootstrap': 20},
  }
  return given.Options(**options | changes)


@pytest.fixture(name='undrawn')
def _undrawn(monkeypatch):
  """Pages without pictures, which take long."""
  monkeypatch.setattr(figures, 'draw', lambda *_, **__: [])


def _text(page_text):
  bare = re.sub(r'<(style|script)>.*?</\1>|<[^>]+>', ' ', page_text, flags=re.S)
  return ' '.join(html.unescape(bare).split())


def test_videos(tmp_path, capsys):
  options = _options(tmp_path)
  command.run(options)
  written = (tmp_path / 'out/report.html').read_text()
  results = json.loads((tmp_path / 'out/results.json').read_text())
  text = _text(written)
  for words in (
    'These scores', 'Frame position', 'Flag all', 'Random scores',
    'AUROC, normalised', 'AUROC, mean of videos', 'Events and alarms',
    'What is undefined, and why', 'Delay in frames', 'Each video',
    'less the position of the frame', 'When do the scores rise?',
    'give --frame-rate',
  ):  # fmt: skip
    assert words in text, words
  for row in tables.headline(results):
    for cell in row['cells']:
      assert cell['mean'] in text and cell.get('ci', '') in text
  # No outside file; each picture has words.
  assert not re.search(r'(src|href)="(?!data:|#)', written)
  assert (
    written.count('<img') == len(re.findall(r'alt="[^"]{20}', written)) == 3
  )
  printed = capsys.readouterr().out
  assert 'AUROC, normalised' in printed and 'report: ' in printed
  ours = results['methods'][verdict.OURS]['auroc']['mean']
  assert f'{ours:.3f}' in printed
  assert results['replicas'][0]['interval']['auroc'] is not None


@pytest.mark.usefixtures('undrawn')
def test_the_same_again_replaces_and_other_scores_do_not(tmp_path):
  options = _options(tmp_path, videos=False)
  command.run(options)
  before = (tmp_path / 'out/results.json').read_bytes()
  text = _text((tmp_path / 'out/report.html').read_text())
  assert 'Each video' not in text and 'Frame position' not in text
  page.check_folder(tmp_path / 'out', verdict.inputs(options))
  other = options._replace(scores=options.normal)
  with pytest.raises(errors.UserError, match='of other scores'):
    command.run(other)
  assert (tmp_path / 'out/results.json').read_bytes() == before


@pytest.mark.parametrize(
  'drawn', [pytest.param(True, marks=pytest.mark.slow), False]
)
def test_names_are_no_markup(drawn, tmp_path, request):
  if not drawn:
    request.getfixturevalue('undrawn')
  rows = [f'<b>x</b>,{i},{i % 3},{i % 2}' for i in range(8)]
  inputs.written(
    tmp_path, {'<i>.csv': inputs.csv('video,frame,score,label', *rows)}
  )
  options = _options(
    tmp_path, False, scores=str(tmp_path / '<i>.csv'), labels='', normal=''
  )
  results, scored = verdict.judge(given.read(options), options)
  written = page.write(results, scored, tmp_path / 'out').read_text()
  assert '<b>x' not in written and '<i>' not in written
  assert '&lt;b&gt;x' in written and '&lt;i&gt;.csv' in written
