"""The pages as a person sees them, in a browser; all of one small study."""

import os
import pathlib

import numpy as np
import pytest

from memae_jax.comparison import board, differences
from memae_jax.comparison import page as comparison
from memae_jax.refereeing import command, given
from memae_jax.studies import job
from tests import browser, helpers
from tests.refereeing import inputs

pytestmark = pytest.mark.slow
_HOSTILE = '<img src=x onerror=alert(1)> & "a"'
_LINKS = 'nav a'
_STUDY = """from memae_jax.studies import grid


def get_study():
  return grid.Study('base.py', grid.sweep('slots', (3, 5)))
"""
# What is wrong with a page: text that is hard to read, and the like.
_FAULTS = """
const light = ([r, g, b]) => {
  const f = (v) => v < 10 ? v / 3295 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
};
const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const colour = parts(getComputedStyle(e).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const out = [];
for (const e of document.querySelectorAll('body *')) {
  const has = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  if (!has || !e.checkVisibility() || e.localName === 'script') continue;
  const [a, b] = [light(parts(getComputedStyle(e).color)), light(behind(e))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) out.push(`contrast ${ratio}: ${e.outerHTML.slice(0, 80)}`);
}
const wide = document.documentElement.scrollWidth;
if (wide > innerWidth) out.push(`${wide} pixels wide`);
for (const e of document.images) {
  if (e.alt.length < 20) out.push(`alt: ${e.alt}`);
  if (!e.naturalWidth) out.push(`no picture: ${e.alt}`);
}
for (const e of document.querySelectorAll('a[href^="#"]')) {
  if (!document.getElementById(decodeURI(e.hash.slice(1)))) out.push(e.href);
}
for (const e of performance.getEntriesByType('resource')) {
  if (!e.name.startsWith('data:')) out.push(e.name);
}
return out;
"""
_CELLS = """
const table = document.querySelector('table');
return [...table.tBodies[0].rows].filter((row) => row.cells.length > 1)
  .map((row) => (row.cells[arguments[0]].querySelector('.value')
    ?? row.cells[arguments[0]]).textContent.trim());
"""


@pytest.fixture(scope='module', name='pages')
def _pages(seen, tmp_path_factory):
  """The page of a study, of its run, and what is made of that run.

  Where there is no browser (`seen`) nothing is trained.
  """
  folder = tmp_path_factory.mktemp('pages')
  changes = {
    'name': _HOSTILE,
    'fleet.variants': ('memae', 'ae'),
    'eval.baselines': ('random', 'pca'),
    'eval.bootstrap': 20,
  }
  helpers.write_config(folder / 'base.py', helpers.digits(**changes))
  (folder / 'study.py').write_text(_STUDY)
  job.work(str(folder / 'study.py'), folder / 'runs/study')
  (run,) = (folder / 'runs/study/runs').glob('*/')
  compared = differences.compare([str(folder / 'runs/study')], 20)
  rng = np.random.default_rng(0)
  anomalous = np.tile(np.repeat([0, 1], 20), 3)
  files = {
    'scores.npy': rng.normal(size=120) + anomalous,
    'labels.npy': anomalous,
    'normal.npy': rng.normal(size=200),
  }
  inputs.written(folder, {k: inputs.npy(v) for k, v in files.items()})
  at = {k.partition('.')[0]: str(folder / k) for k in files}
  options = {'output': str(folder / 'runs/<b>judged'), 'video_lengths': '60,60'}
  settings = {'bootstrap': 20}
  command.run(given.Options(**at, **options, settings=settings))
  (folder / 'runs/damaged').mkdir()
  (folder / 'runs/damaged/results.json').write_text('{"<i>')
  return {
    'report': run / 'report.html',
    'study': folder / 'runs/study/study.html',
    'compare': comparison.write(compared, folder / 'compared'),
    'referee': folder / 'runs/<b>judged/report.html',
    'board': board.write(folder / 'runs'),
  }


@pytest.fixture(scope='module', name='seen')
def _seen(tmp_path_factory):
  with browser.started(tmp_path_factory.mktemp('profile')) as started:
    yield started


@pytest.mark.parametrize(
  'name', ['report', 'study', 'compare', 'referee', 'board']
)
def test_pages_are_sound(name, pages, seen, tmp_path):
  """At two widths, light and dark, folded and open; no error in the console."""
  folder = pathlib.Path(os.environ.get('MEMAE_SCREENSHOTS') or tmp_path)
  for width in (400, 1300):
    for scheme in ('light', 'dark'):
      browser.show(seen, pages[name], width, scheme)
      browser.save(seen, folder / f'{name}_{width}_{scheme}.png')
      assert not seen.execute_script(_FAULTS)
      seen.execute_script(
        'for (const e of document.querySelectorAll("details")) e.open = true'
      )
      assert not seen.execute_script(_FAULTS)
      at = seen.execute_script('return getComputedStyle(document.body).color')
      assert (at == 'rgb(29, 31, 33)') == (scheme == 'light')
  assert not seen.get_log('browser')
  assert not seen.find_elements('css selector', 'img[src=x], main b, main i')


@pytest.mark.parametrize('name', ['report', 'study', 'compare', 'referee'])
def test_links_open_what_is_folded(name, pages, seen):
  browser.show(seen, pages[name])
  links = seen.find_elements('css selector', _LINKS)
  assert len(links) > 2
  folded = 0
  for link in links:
    address = link.get_attribute('href').partition('#')[2]
    part = seen.execute_script(
      'return document.getElementById(decodeURI(arguments[0])).parentElement',
      address,
    )
    folded += not part.get_property('open')
    link.click()
    assert part.get_property('open')
    top = seen.execute_script(
      'return arguments[0].getBoundingClientRect().top', part
    )
    assert -1 < top < browser.HEIGHT
  assert folded or name not in ('report', 'referee')


def _head(seen, column):
  heads = seen.find_elements('css selector', 'table:first-of-type thead th')
  return heads[column]


@pytest.mark.parametrize('name', ['report', 'referee'])
def test_tables_are_sorted_by_their_heads(name, pages, seen):
  """Down, up, and as written, also by the keyboard; dashes stay last."""
  browser.show(seen, pages[name])
  written = seen.execute_script(_CELLS, 1)
  head = _head(seen, 1)
  orders = []
  for way in ('descending', 'ascending', None):
    head.find_element('css selector', 'button').send_keys('\n')
    assert head.get_attribute('aria-sort') == way
    orders.append(seen.execute_script(_CELLS, 1))
  down, up, again = orders
  assert again == written
  numbers = [float(v) for v in down if v not in ('—', '')]
  assert numbers == sorted(numbers, reverse=True) and len(set(numbers)) > 2
  assert up[: len(numbers)] == down[: len(numbers)][::-1]
  assert not any(v not in ('—', '') for v in down[len(numbers) :])


def test_text_is_sorted_as_people_do(pages, seen):
  browser.show(seen, pages['board'])
  _head(seen, 1).find_element('css selector', 'button').click()
  states = seen.execute_script(
    'return [...document.querySelectorAll("tr td:nth-child(2)")]'
    '.map((cell) => cell.firstChild.data.trim())'
  )
  assert states == sorted(states) and 'damaged' in states


def test_links_of_the_board_lead_to_pages(pages, seen):
  browser.show(seen, pages['board'])
  links = [
    link.get_attribute('href')
    for link in seen.find_elements('css selector', 'td a')
    if link.text.endswith('.html')
  ]
  assert len(links) == 3
  for link in links:
    seen.get(link)
    assert seen.find_element('css selector', 'h1').text


def test_print_shows_all_parts(pages, seen):
  """By the style alone, and the script opens them."""
  hidden = (
    'return [...document.querySelectorAll("details > div > *")]'
    '.filter((e) => !e.checkVisibility({contentVisibilityAuto: true})).length'
  )
  browser.show(seen, pages['report'])
  assert seen.execute_script(hidden) > 0
  browser.show(seen, pages['report'], media='print')
  assert seen.execute_script(hidden) == 0
  seen.execute_cdp_cmd('Page.printToPDF', {})
  closed = seen.find_elements('css selector', 'details:not([open])')
  assert not closed


def test_without_the_script_all_is_there(pages, seen):
  """Nothing can be sorted, but nothing is missing, and links open parts."""
  off = 'Emulation.setScriptExecutionDisabled'
  seen.execute_cdp_cmd(off, {'value': True})
  try:
    browser.show(seen, pages['report'])
    assert not seen.find_elements('css selector', 'th button')
    seen.find_element('link text', 'Configuration').click()
    assert seen.find_elements(
      'css selector', 'details[open] > #part-configuration'
    )
  finally:
    seen.execute_cdp_cmd(off, {'value': False})
