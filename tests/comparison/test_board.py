"""The board as a page: names of all kinds, links, and what is refused."""

import html.parser
import urllib.parse

import pytest

from memae_jax.comparison import board
from memae_jax.runtime import errors
from tests import finished, helpers


class _Links(html.parser.HTMLParser):
  """Collects addresses, and the text of the page."""

  def __init__(self, page):
    super().__init__()
    self.links, self.text = [], []
    self.feed(page.partition('<main>')[2])

  def handle_starttag(self, tag, attributes):
    assert tag not in ('img', 'b')
    self.links += [value for key, value in attributes if key == 'href']

  def handle_data(self, data):
    self.text.append(data)


def test_any_name_is_text_and_its_links_lead_to_files(tmp_path):
  names = [*helpers.ODD_NAMES, '<b>"x"', 'javascript:alert(1)', 'a#b?c%20', '~']
  for name in names:
    finished.write(tmp_path / 'runs' / name)
    (tmp_path / 'runs' / name / 'report.html').write_text('')
  to = tmp_path / 'else where' / 'page.html'
  assert board.write(tmp_path / 'runs', to) == to
  seen = _Links(to.read_text())
  assert len(seen.links) == 3 * len(names)
  for link in seen.links:
    address = urllib.parse.urlsplit(link)
    assert (address.scheme, address.netloc, address.query) == ('', '', '')
    path = urllib.parse.unquote(address.path, errors='surrogateescape')
    assert (to.parent / path).is_file(), link
  assert '<b>"x"' in seen.text and f'{len(names)} evaluated' in to.read_text()


def test_only_the_page_is_written(tmp_path):
  finished.write(tmp_path / 'run')
  files = lambda: {
    p: p.stat().st_mtime_ns for p in tmp_path.rglob('*') if p.is_file()
  }
  before = files()
  to = board.write(tmp_path)
  assert to == tmp_path / 'board.html'
  assert files().keys() - before.keys() == {to}
  assert before.items() <= files().items()
  board.write(tmp_path)  # It is no run itself.


@pytest.mark.parametrize(
  ('name', 'to', 'said'),
  [
    ('none', '', 'none is no folder'),
    ('empty', '', 'empty holds no run'),
    ('file', '', 'file is no folder'),
    ('runs', 'empty', 'empty is a folder'),
  ],
)
def test_what_is_refused(name, to, said, tmp_path):
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'file').write_text('')
  finished.write(tmp_path / 'runs/run')
  with pytest.raises(errors.UserError, match=said):
    board.write(tmp_path / name, tmp_path / to if to else None)
  assert not list(tmp_path.rglob('board.html'))
