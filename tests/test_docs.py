"""Commands in README and docs name what there is; those of digits are run."""

import importlib.util
import re
import runpy
import shlex

import pytest

from memae_jax import config as config_lib
from memae_jax.data import prepare
from tests import helpers

_PAGES = [
  *sorted(helpers.ROOT.glob('*.md')),
  *sorted((helpers.ROOT / 'docs').rglob('*.md')),
]


def _commands(page):
  """Words of each command of the bash blocks of a page."""
  for block in re.findall(r'```bash\n(.*?)```', page.read_text(), re.DOTALL):
    for line in block.replace('\\\n', ' ').splitlines():
      for part in line.split('&&'):
        if words := shlex.split(part, comments=True):
          yield words


_ALL = [
  pytest.param(words, id=f'{page.stem}-{number}')
  for page in _PAGES
  for number, words in enumerate(_commands(page))
  if words[:2] == ['python', '-m']
]


@pytest.mark.parametrize('words', _ALL)
def test_commands_name_modules_configs_and_fields(words):
  assert importlib.util.find_spec(words[2]), words[2]
  flags = dict(w.removeprefix('--').split('=', 1) for w in words if '=' in w)
  file, _, argument = flags.get('config', '').partition(':')
  if file.endswith('.py'):
    module = runpy.run_path(str(helpers.ROOT / file))
    if 'get_config' in module:
      config_lib.resolve(module['get_config'](argument))
    else:
      module['get_study'](argument)
  known = config_lib.flatten(config_lib.default().to_dict())
  for name in flags:
    assert not name.startswith('config.') or name[7:] in known, name


def test_each_config_says_what_it_needs():
  text = (helpers.ROOT / 'docs/commands.md').read_text()
  _, _, text = text.partition('**What a config needs**')
  text, _, _ = text.partition('\nRows that')
  rows = [line.split('|')[1:3] for line in text.splitlines() if '| `' in line]
  needs = {
    name: need for row, need in rows for name in re.findall('`(.*?)`', row)
  }
  paths = (helpers.ROOT / 'configs').rglob('*.py')
  assert set(needs) == {path.stem for path in paths}
  for name, need in needs.items():
    for word in re.findall(r'data.prepare (\w+)', need):
      assert word in (*prepare.BUILDERS, 'creditcard', 'creditcard_made'), name
    base = name.rpartition('_')[2]
    if base in prepare.BUILDERS:
      assert f'data.prepare {base}' in need, name


def test_pages_link_to_what_there_is():
  others = [
    helpers.ROOT / name / 'README.md' for name in ('launch', 'benchmarks')
  ]
  for page in [*_PAGES, *others]:
    for target in re.findall(r'\]\(([^)#:]+)\)', page.read_text()):
      assert (page.parent / target).exists(), f'{page.name}: {target}'


def _python(page, **replaced):
  """The code of the python blocks of a page, with some words replaced."""
  code = '\n'.join(
    re.findall(r'```python\n(.*?)```', page.read_text(), re.DOTALL)
  )
  for word, other in replaced.items():
    code = re.sub(rf'{word}=[^,)]+', f'{word}={other}', code)
  return code


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize('name', ['README.md', 'docs/python.md'])
def test_python_of_the_page_runs(name, tmp_path, monkeypatch):
  """As written, but for the number of epochs and of processes."""
  monkeypatch.chdir(tmp_path)
  code = _python(helpers.ROOT / name, epochs=2, n_jobs=1)
  assert 'MemAE(epochs=2' in code
  exec(compile(code, name, 'exec'), {})
  assert (tmp_path / 'tumours' / 'config.json').is_file()


@pytest.mark.slow
def test_python_of_released_weights_runs(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  code = _python(helpers.ROOT / 'docs' / 'weights.md')
  exec(compile(code, 'weights.md', 'exec'), {})


@pytest.mark.thorough
def test_evaluation_jobs_of_the_page(tmp_path, monkeypatch):
  """Each command of that page that evaluates a run of digits."""
  run = tmp_path / 'runs' / 'digits'
  code, _, err = helpers.run(
    '--config=configs/digits.py:smoke',
    f'--workdir={run}',
    '--config.train.keep_all=True',
    '--config.train.epochs=6',
    '--config.train.log_every=4',
    '--config.train.checkpoint_every=8',
  )
  assert code == 0, err
  steps = sorted(int(p.name) for p in (run / 'checkpoints').glob('[0-9]*'))
  page = helpers.ROOT / 'docs' / 'evaluation_jobs.md'
  ran = 0
  for words in _commands(page):
    if '--workdir=runs/digits' in words:
      words = [w.replace('=runs/', f'={tmp_path}/runs/') for w in words[3:]]
      words = [w.replace('100,200', f'{steps[0]},{steps[1]}') for w in words]
      code, _, err = helpers.run(*words)
      assert code == 0, (words, err)
      ran += 1
  assert ran >= 5
  assert sorted(int(p.name) for p in (run / 'eval').glob('[0-9]*')) == steps
