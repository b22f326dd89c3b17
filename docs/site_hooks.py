"""Makes the site of mkdocs.yml from the pages as they are read in a clone.

README.md, RESULTS.md and launch/README.md become pages, and so do notebooks
with their stored outputs; each package has a page of its docstrings. Links to
files of the clone go to these pages.
"""

import json
import pathlib
import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_PACKAGE = 'memae_jax'
_REFERENCE = 'reference'
_NOTEBOOKS = 'notebooks'
_OUTSIDE = {
  'README.md': 'index.md',
  'RESULTS.md': 'results.md',
  'launch/README.md': 'launch.md',
}
_LINK = re.compile(r'\[([^\[\]]*)\]\(([^)\s:#]+)(#[^)\s]*)?\)')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
  """Lists notebooks and packages after the pages that mkdocs.yml lists."""
  names = [_page_of(package) for package in _packages()]
  config.nav.append({'Notebooks': list(_notebooks())})
  config.nav.append({'Reference': names})
  return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
  """Adds the pages that are no files of docs/."""
  for outside, name in _OUTSIDE.items():
    text = (_ROOT / outside).read_text(encoding='utf-8')
    moved = _with_links(text, posixpath.dirname(outside), name)
    files.append(File.generated(config, name, content=moved))
  for name, path in _notebooks().items():
    text = _with_links(_of_notebook(path), f'docs/{_NOTEBOOKS}', name)
    files.append(File.generated(config, name, content=text))
  for package, modules in _packages().items():
    parts = [f'# {package}', *(f'::: {module}' for module in modules)]
    page = _page_of(package)
    files.append(File.generated(config, page, content='\n\n'.join(parts)))
  return files


def on_page_markdown(markdown: str, page, config, files) -> str:
  """Writes line breaks as this Markdown knows them, and mends links."""
  place = page.file.src_uri
  if place not in (*_OUTSIDE.values(), *_notebooks()):
    folder = posixpath.join('docs', posixpath.dirname(place))
    markdown = _with_links(markdown, folder, place)
  return markdown.replace('\\\n', '<br>\n')


def _packages() -> dict[str, list[str]]:
  """Returns the modules of each package that are not empty."""
  found: dict[str, list[str]] = {}
  for path in sorted((_ROOT / _PACKAGE).rglob('*.py')):
    parts = path.relative_to(_ROOT).with_suffix('').parts
    if parts[-1] == '__init__':
      parts = parts[:-1]
      package = '.'.join(parts)
    else:
      package = '.'.join(parts[:-1])
    if path.stat().st_size:
      found.setdefault(package, []).append('.'.join(parts))
  return dict(sorted(found.items()))


def _notebooks() -> dict[str, pathlib.Path]:
  """Returns the notebooks by the names of their pages."""
  paths = sorted((_ROOT / 'docs' / _NOTEBOOKS).glob('*.ipynb'))
  return {f'{_NOTEBOOKS}/{path.stem}.md': path for path in paths}


def _of_notebook(path: pathlib.Path) -> str:
  """Returns a notebook as Markdown, with a link to its file."""
  parts = []
  for cell in json.loads(path.read_text(encoding='utf-8'))['cells']:
    text = ''.join(cell['source'])
    if cell['cell_type'] == 'markdown':
      parts.append(text)
      continue
    parts.append(f'```python\n{text}\n```')
    parts += [_of_output(output) for output in cell['outputs']]
  parts.insert(1, f'[The notebook]({path.name})')
  return '\n\n'.join(parts)


def _of_output(output: dict) -> str:
  """Returns an output of a cell: a picture, a table or text."""
  data = output.get('data', {})
  if 'image/png' in data:
    code = ''.join(data['image/png']).replace('\n', '')
    return f'<img alt="output of the cell" src="data:image/png;base64,{code}">'
  if 'text/html' in data:
    return f'<div>{"".join(data["text/html"])}</div>'
  text = ''.join(output.get('text') or data.get('text/plain', ''))
  return f'```text\n{text}\n```'


def _page_of(package: str) -> str:
  return f'{_REFERENCE}/{package}.md'


def _with_links(text: str, folder: str, page: str) -> str:
  """Returns a text whose links to files of the clone are links of the site.

  What has no page there, such as a folder, stays as words.

  Args:
    text: Markdown.
    folder: of the file, from the root of the clone.
    page: its place in the site.
  """

  def moved(found: re.Match[str]) -> str:
    target = posixpath.normpath(posixpath.join(folder, found[2]))
    words, anchor = found[1], found[3] or ''
    if target in _OUTSIDE:
      target = _OUTSIDE[target]
    elif target.startswith(f'docs/{_NOTEBOOKS}/') and target != page:
      target = target.removeprefix('docs/')
      if page not in _notebooks():  # There a link is to the file itself.
        target = target.replace('.ipynb', '.md')
    elif target.startswith('docs/') and (_ROOT / target).is_file():
      target = target.removeprefix('docs/')
    elif target.startswith(_PACKAGE) and (_ROOT / target).exists():
      module = target.removesuffix('.py').removesuffix('/__init__')
      module = module.replace('/', '.')
      is_package = (_ROOT / module.replace('.', '/')).is_dir()
      package = module if is_package else module.rpartition('.')[0]
      target, anchor = _page_of(package), f'#{module}'
    else:
      return words
    start = posixpath.dirname(page) or '.'
    return f'[{words}]({posixpath.relpath(target, start)}{anchor})'

  return _LINK.sub(moved, text)
