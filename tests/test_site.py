"""The site, built with its warnings as errors."""

import importlib.util
import re
import subprocess
import sys

import pytest

from tests import helpers

_HTML_LINK = re.compile(r'<(?:script|link)[^>]+(?:src|href)="(https?:[^"]+)"')


@pytest.fixture(scope='module')
def site(tmp_path_factory):
  """The folder of the site."""
  if not importlib.util.find_spec('mkdocstrings'):
    pytest.skip('mkdocs or mkdocstrings is not installed, the extra "docs"')
  folder = tmp_path_factory.mktemp('site')
  done = subprocess.run(
    [sys.executable, '-m', 'mkdocs', 'build', f'--site-dir={folder}'],
    cwd=helpers.ROOT,
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stderr
  assert 'WARNING' not in done.stderr
  return folder


@pytest.mark.slow  # Half a minute for some hundred pages.
def test_every_page_of_the_clone_is_a_page_of_the_site(site):
  docs = helpers.ROOT / 'docs'
  sources = [*docs.rglob('*.md'), *docs.rglob('*.ipynb')]
  pages = [path.relative_to(docs).with_suffix('.html') for path in sources]
  assert len(pages) > 30
  for page in (*pages, 'index.html', 'results.html', 'launch.html'):
    text = (site / page).read_text()
    assert '<h1' in text, page
    assert not _HTML_LINK.search(text), page


@pytest.mark.slow
def test_functions_have_examples_and_fields_have_rows(site):
  text = (site / 'reference/memae_jax.memory.html').read_text()
  assert '<code>kept_mass</code>' in text and 'Only <code>value</code>' in text
  assert 'id="memae_jax.memory.top_k.read"' in text
  assert 'Examples:' in text and '>Example:' not in text
  link = 'reference/memae_jax.memory.html#memae_jax.memory.reweighting'
  assert link in (site / 'scores_and_memories.html').read_text()
  assert '\\\n' not in (site / 'results/kddcup99.html').read_text()
