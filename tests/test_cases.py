"""Foreign inputs that once gave a wrong number or a traceback, end to end.

Each folder of `cases` beside the project holds one situation; its README says
what is expected. Tests of each kind with inputs of their own are beside the
reader or the command that they are about.
"""

import csv
import gzip
import json
import os
import shutil
import subprocess
import sys

import pytest

from tests import helpers

# A quarter of an hour of processor time; what each is about has tests of its
# own, beside the reader or command.
pytestmark = pytest.mark.slow
_MAIN = 'memae_jax.main'
# What these cases are not about, and what takes most of their time.
_LIGHT = (
  *(
    f'--config.eval.{name}=False'
    for name in ('pseudo', 'odd_inputs', 'embedding')
  ),
  '--config.eval.baselines=mean',
)
_BARE = '--config.eval.baselines=()', '--config.eval.bootstrap=0'
_RUN = '--config=configs/digits.py:smoke,classes=1,variant=memae', *_LIGHT
_ROWS = 'configs/arrays.py:smoke,variant=memae'
# Two layers in place of four, where the case is about files.
_SHALLOW = (
  '--config.model.widths=8,8',
  '--config.model.kernels=3,3',
  '--config.model.strides=2,2',
)


@pytest.fixture(scope='session')
def cases(shared):
  """The folder of cases."""
  folder = shared / 'cases'
  if not folder.is_dir():
    pytest.skip('no folder "shared/cases" beside the project')
  return folder


def _command(*words, module=_MAIN, env=None, limit=None, cwd=None):
  """Exit code, standard output and standard error of a command.

  What sets nothing for its process runs in this one, which is much faster.
  """
  if module == _MAIN and not (env or limit or cwd):
    code, out, err = helpers.run(*map(str, words))
    assert 'Traceback' not in out + err, err
    return code, out, err
  environment = {
    **os.environ,
    'PYTHONPATH': str(helpers.ROOT),
    'JAX_NUM_CPU_DEVICES': '1',
    **(env or {}),
  }
  bound = ['prlimit', f'--as={limit}'] if limit else []
  done = subprocess.run(
    [*bound, sys.executable, '-m', module, *map(str, words)],
    cwd=cwd or helpers.ROOT,
    env=environment,
    capture_output=True,
    timeout=400,
  )
  text = (
    part.decode('utf-8', 'replace') for part in (done.stdout, done.stderr)
  )
  code, out, err = done.returncode, *text
  assert 'Traceback' not in out + err, err
  return code, out, err


def _train(workdir, config, *more, **how):
  words = f'--workdir={workdir}', f'--config={config}', *_LIGHT, *more
  return _command(*words, **how)


def _results(workdir):
  return json.loads((workdir / 'results.json').read_text())


def _auroc(workdir, group='methods'):
  found = _results(workdir)[group]
  return {name: (m.get('auroc') or {}).get('mean') for name, m in found.items()}


def _refused(ended, *words):
  code, _, err = ended
  assert code == 2, err
  line = err.strip().splitlines()[-1]
  for word in words:
    assert word in line
  return line


def _warned(ended, workdir, *words):
  """A line on stderr before the first step, in the results and on the page."""
  code, _, err = ended
  assert code == 0, err
  lines = err[: err.find('train ')].splitlines()
  (line,) = [x for x in lines if all(word in x for word in words)]
  warning = line.partition('warning: ')[2]
  assert warning in _results(workdir)['warnings']
  assert words[0] in (workdir / 'report.html').read_text()


def test_a_column_on_an_offset(cases, tmp_path):
  folder, found = cases / 'float32_offset', {}
  for name in ('offset', 'offset_removed'):
    config = f'configs/arrays.py:path={folder / name}.csv,label=kind,normal=ok'
    ended = _train(tmp_path / name, f'{config},smoke,epochs=40,variant=memae',
                   '--config.train.batch_size=32', *_BARE)  # fmt: skip
    assert ended[0] == 0, ended[2]
    found[name] = _auroc(tmp_path / name)
  assert found['offset']['memae'] > 0.95
  assert found['offset'] == pytest.approx(found['offset_removed'], abs=0.01)


def test_twelve_bits_in_sixteen(cases, tmp_path):
  found = {}
  for name in ('faint12', 'faint8'):
    path = cases / 'image_12bit_in_16' / name
    config = f'configs/image_folder.py:path={path},smoke,size=40,epochs=60'
    ended = _train(tmp_path / name, f'{config},variant=ae',
                   '--config.train.batch_size=4',
                   '--config.eval.baselines=pca')  # fmt: skip
    assert ended[0] == 0, ended[2]
    found[name] = _auroc(tmp_path / name), _auroc(tmp_path / name, 'baselines')
  assert found['faint12'][1]['pca'] == pytest.approx(1.0, abs=0.02)
  assert found['faint12'][0]['ae'] > found['faint8'][0]['ae'] - 0.1


@pytest.mark.parametrize('name', ['im_case'])
def test_good_in_other_letters(cases, tmp_path, name):
  path = cases / 'image_good_case' / name
  config = f'configs/image_folder.py:path={path},smoke,variant=memae'
  ended = _train(tmp_path / 'run', config, *_SHALLOW)
  if ended[0]:
    _refused(ended, 'Good')
  else:
    assert _auroc(tmp_path / 'run')['memae'] is not None
    assert 0 < _results(tmp_path / 'run')['dataset']['base_rate'] < 1


def test_masks_in_the_test_folder(cases, tmp_path):
  path = cases / 'image_mask_in_test' / 'im_masktest'
  config = f'configs/image_folder.py:path={path},smoke,variant=memae'
  ended = _train(tmp_path / 'run', config, *_SHALLOW)
  if ended[0]:
    _refused(ended, 'crack_mask')
  else:
    assert 'crack_mask' in ended[2]
    assert _results(tmp_path / 'run')['dataset']['base_rate'] == 0.5


@pytest.mark.parametrize('name', ['im_gtname', 'im_maskjpg'])
def test_masks_of_other_names(cases, tmp_path, name):
  path = cases / 'image_masks_other_suffix' / name
  config = f'configs/image_folder.py:path={path},smoke,variant=memae'
  ended = _train(tmp_path / 'run', config, *_SHALLOW)
  assert ended[0] == 0, ended[2]
  pixels = _results(tmp_path / 'run')['methods']['memae']['pixel_auroc']
  assert pixels['mean'] is not None


def test_a_name_that_is_not_utf8(cases, tmp_path):
  folder = tmp_path / 'im_latin'
  make = cases / 'image_name_not_utf8'
  subprocess.run(['sh', make / 'make.sh', make, folder], check=True)
  config = f'configs/image_folder.py:path={folder},smoke,variant=memae'
  ended = _train(tmp_path / 'run', config, *_SHALLOW)
  assert ended[0] == 0, ended[2]
  (table,) = (tmp_path / 'run/eval').glob('*/scores.csv')
  assert 'fissur\\xe9.png' in table.read_text('utf-8')
  detector = tmp_path / 'a.scorer'
  done = _command(
    tmp_path / 'run', f'--to={detector}', module='memae_jax.export'
  )
  assert done[0] == 0, done[2]
  to = tmp_path / 'x.csv'
  done = _command(detector, folder / 'test/crack', f'--to={to}',
                  module='memae_jax.scorer')  # fmt: skip
  assert done[0] == 0 and 'fissur\\xe9.png' in to.read_text('utf-8'), done[2]


def test_zero_in_one_file_is_zero_point_zero_in_the_other(cases, tmp_path):
  folder = cases / 'labels_float_in_test_file'
  config = (
    f'configs/arrays.py:path={folder}/lab_int_train.csv,'
    f'test={folder}/lab_float_test.csv,label=kind,normal=0,smoke,'
    'variant=memae'
  )
  ended = _train(tmp_path / 'run', config)
  assert ended[0] == 0, ended[2]
  assert _auroc(tmp_path / 'run')['memae'] is not None


def test_labels_that_differ_by_case(cases, tmp_path):
  path = cases / 'labels_spelling/lab_case.csv'
  config = f'configs/arrays.py:path={path},label=kind,normal=ok,smoke'
  _refused(_train(tmp_path / 'run', config), '"OK"', '"Ok"', '"ok"')


def test_one_anomaly(cases, tmp_path):
  path = cases / 'one_anomaly/oneanom.csv'
  config = f'{_ROWS},path={path},label=kind,normal=ok'
  code, out, err = _train(tmp_path / 'run', config)
  said = (out + err).lower()
  assert 'auroc' in said and (code == 2 or 'undefined' in said), said


def test_an_index_that_pandas_stored(cases, tmp_path):
  folder = cases / 'parquet_index'
  found = {}
  for name in ('index.parquet', 'noise_only.csv'):
    path, workdir = folder / name, tmp_path / name
    config = f'{_ROWS},path={path},label=kind,normal=ok'
    ended = _train(workdir, config + ',epochs=40',
                   '--config.train.batch_size=32')  # fmt: skip
    assert ended[0] == 0, ended[2]
    found[name] = _auroc(workdir, 'baselines')
    if name == 'index.parquet':
      assert '__index_level_0__' in ended[2]
  assert found['index.parquet']['mean'] == pytest.approx(0.5, abs=0.1)
  want = found['noise_only.csv']['mean']  # Of numbers in fewer digits.
  assert found['index.parquet']['mean'] == pytest.approx(want, abs=0.02)


def test_worse_than_the_mean(cases, tmp_path):
  path = cases / 'report_worse_than_mean/im_12b'
  config = f'configs/image_folder.py:path={path},smoke,variant=memae'
  ended = _train(tmp_path / 'run', config)
  assert ended[0] == 0, ended[2]
  explained = _results(tmp_path / 'run')['methods']['memae']
  if explained['variance_explained']['mean'] < 0:
    page = (tmp_path / 'run/report.html').read_text()
    assert 'worse than the mean training sample' in page
    assert 'close to the distance to the mean' not in page


@pytest.fixture(scope='module')
def plain_scorer(cases, tmp_path_factory):
  """A detector of the rows of plain.csv."""
  folder = tmp_path_factory.mktemp('plain')
  path = cases / 'scorer_duplicate_column/plain.csv'
  config = f'{_ROWS},path={path},label=kind,normal=ok'
  ended = _train(folder / 'run', config)
  assert ended[0] == 0, ended[2]
  detector = folder / 'plain.scorer'
  done = _command(folder / 'run', f'--to={detector}', module='memae_jax.export')
  assert done[0] == 0, done[2]
  return detector


def test_a_column_twice_in_new_rows(cases, plain_scorer):
  path = cases / 'scorer_duplicate_column/n_dupnew.csv'
  ended = _command(plain_scorer, path, module='memae_jax.scorer')
  _refused(ended, 'two columns', '"a"')


def test_new_rows_in_the_files_of_training(cases, plain_scorer, tmp_path):
  plain = cases / 'scorer_other_files/plain.csv'
  packed = tmp_path / 'plain.csv.gz'
  packed.write_bytes(gzip.compress(plain.read_bytes()))
  upper = shutil.copy(plain, tmp_path / 'PLAIN.CSV')
  import pandas

  parquet = tmp_path / 'plain.parquet'
  pandas.read_csv(plain).to_parquet(parquet)
  scores = []
  for path in (plain, packed, upper, parquet):
    code, out, err = _command(plain_scorer, path, module='memae_jax.scorer')
    assert code == 0, err
    scores.append([float(r['score']) for r in csv.DictReader(out.splitlines())])
  assert scores[0] and scores[1:] == [scores[0]] * 3


def test_thousands(cases, tmp_path):
  path = cases / 'table_thousands/thousands.csv'
  config = f'{_ROWS},path={path},label=kind,normal=ok'
  ended = _train(tmp_path / 'run', config)
  if ended[0]:
    assert 'thousand' in _refused(ended)
  else:
    assert 'thousand' in ended[2]


def test_test_rows_that_train(cases, tmp_path):
  folder = cases / 'test_rows_in_train'
  config = (
    f'configs/arrays.py:path={folder}/train.csv,test={folder}/test.csv,'
    'label=kind,normal=ok,smoke,variant=memae'
  )
  ended = _train(tmp_path / 'run', config)
  _warned(ended, tmp_path / 'run', '200 of 200')


@pytest.mark.thorough  # Two whole runs for a bound that a quiet machine needs.
def test_speed_leaves_compilation_out(cases, tmp_path):
  path = cases / 'throughput_with_compilation/im_tp'
  speed = {}
  for attempt in ('cold', 'warm'):
    workdir = tmp_path / attempt
    config = f'configs/image_folder.py:path={path},smoke,variant=memae'
    ended = _train(workdir, config, *_BARE, env={
      'XDG_CACHE_HOME': str(tmp_path / 'cache'),
      'JAX_COMPILATION_CACHE_DIR': str(tmp_path / 'cache/compiled'),
    })  # fmt: skip
    assert ended[0] == 0, ended[2]
    speed[attempt] = _results(workdir)['throughput']['samples_per_second']
  assert speed['cold'] > speed['warm'] / 6  # Within three, on a quiet machine.


def test_categories_without_end(cases, tmp_path):
  path = tmp_path / 'card.csv'
  make = cases / 'categories_without_end/make.py'
  subprocess.run([sys.executable, make, path], check=True)
  config = (
    f'configs/arrays.py:path={path},label=kind,normal=ok,categorical=account'
  )
  ended = _train(
    tmp_path / 'run',
    config + ',smoke',
    '--config.data.unknown_category=zero',
    limit=24 * 10**9,
  )
  line = _refused(ended, '"account"', 'GiB')
  assert '120000' in line.replace(',', '')


def test_labels_in_the_order_of_text(cases, run_of_videos, tmp_path):
  folder = cases / 'video_labels_text_order'
  config = (
    f'configs/frames.py:path={folder}/v,labels={folder}/v_labels_text.csv,smoke'
  )
  ended = _train(tmp_path / 'run', config + ',variant=memae', *_BARE)
  assert ended[0] == 0, ended[2]
  labels = [
    _results(run)['dataset']['label_sha256']
    for run in (run_of_videos, tmp_path / 'run')
  ]
  assert labels[0] == labels[1]
  assert _auroc(run_of_videos) == _auroc(tmp_path / 'run')


@pytest.fixture(scope='module')
def run_of_videos(cases, tmp_path_factory):
  """A finished run of videos."""
  folder, workdir = (
    cases / 'video_labels_text_order',
    tmp_path_factory.mktemp('videos') / 'run',
  )
  config = (
    f'configs/frames.py:path={folder}/v,labels={folder}/v_labels.csv,smoke'
  )
  ended = _train(workdir, config + ',variant=memae', *_BARE)
  assert ended[0] == 0, ended[2]
  return workdir


def test_a_film_plays_as_fast_as_its_source(cases, run_of_videos):
  import av

  for name, rate in (('plain', 25), ('onefps', 1)):
    path = cases / f'film_frame_rate/{name}.mp4'
    ended = _command('--mode=eval', f'--workdir={run_of_videos}',
                     f'--config.eval.video={path}')  # fmt: skip
    assert ended[0] == 0, ended[2]
    (film,) = run_of_videos.rglob(f'*{name}*/film.mp4')
    with av.open(str(film)) as opened, av.open(str(path)) as source:
      stream, other = opened.streams.video[0], source.streams.video[0]
      assert float(stream.average_rate) == pytest.approx(rate, rel=0.05)
      seconds = stream.frames / stream.average_rate
      assert float(seconds) == pytest.approx(other.frames / rate, abs=20 / rate)
    table = (film.parent / 'scores.csv').read_text()
    rows = list(csv.DictReader(table.splitlines()))
    (time,) = [key for key in rows[0] if 'second' in key or 'time' in key]
    step = float(rows[1][time]) - float(rows[0][time])
    assert step == pytest.approx(1 / rate, rel=0.05)


def test_a_video_that_ends_early(cases, run_of_videos):
  path = cases / 'video_cut_short/odd_cut.mkv'
  ended = _command('--mode=eval', f'--workdir={run_of_videos}',
                   f'--config.eval.video={path}')  # fmt: skip
  assert 'odd_cut.mkv' in ended[2] and '40' in ended[2] and '23' in ended[2]


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
  """A small finished run."""
  workdir = tmp_path_factory.mktemp('finished') / 'run'
  ended = _command(*_RUN, f'--workdir={workdir}')
  assert ended[0] == 0, ended[2]
  return workdir


def test_output_in_ascii(finished, tmp_path):
  workdir = shutil.copytree(finished, tmp_path / 'run')
  words = '--mode=eval', f'--workdir={workdir}'
  code, out, err = _command(*words, env={'PYTHONIOENCODING': 'ascii'})
  assert code == 0 and 'auroc' in out.lower(), err


def test_outputs_of_commands_without_a_folder(finished, tmp_path):
  other = shutil.copytree(finished, tmp_path / 'other')
  one = shutil.copytree(finished, tmp_path / 'one')
  here = tmp_path / 'here'
  here.mkdir()
  (here / 'configs').symlink_to(helpers.ROOT / 'configs')
  tables = []
  for runs in ((one, other), (one,)):
    ended = _command(*runs, module='memae_jax.compare', cwd=here)
    assert ended[0] == 0, ended[2]
    tables.append(sorted(tmp_path.rglob('*.html')))
  assert len(tables[1]) > len(tables[0])  # The second replaces nothing.
  ended = _command(
    *('--mode=plan', '--nolimits', '--config=configs/digits.py:smoke'),
    cwd=here,
  )
  assert ended[0] == 0, ended[2]
  assert (
    not (here / 'comparison').exists() and not (here / 'plan.json').exists()
  )


@pytest.mark.parametrize(
  ('address', 'process', 'words'),
  [
    ('localhost', 0, 'HOST:PORT'),
    ('localhost:port', 0, 'port'),
    ('nosuchhost.invalid:1234', 1, 'nosuchhost.invalid'),
  ],
)
def test_coordinators_that_cannot_be(tmp_path, address, process, words):
  ended = _command(
    *_RUN,
    f'--workdir={tmp_path / "x"}',
    '--processes=2',
    f'--process={process}',
    f'--coordinator={address}',
  )
  _refused(ended, words)


@pytest.mark.thorough
def test_without_compilation(tmp_path):
  """Slowly, with the numbers of the compiled run but for rounding."""
  found, losses = [], []
  for env in (None, {'JAX_DISABLE_JIT': '1'}):
    workdir = tmp_path / str(len(found))
    ended = _command(
      *_RUN,
      f'--workdir={workdir}',
      '--config.train.epochs=0.1',
      '--config.data.max_samples=100',
      '--config.model.widths=4',
      '--config.eval.baselines=()',
      '--config.eval.pseudo=False',
      '--config.eval.bootstrap=0',
      env=env,
    )
    assert ended[0] == 0, ended[2]
    found.append(_auroc(workdir)['memae'])
    lines = (workdir / 'metrics.jsonl').read_text().splitlines()
    losses.append([event['reconstruction'] for event in map(json.loads, lines)])
  assert len(losses[0]) >= 3
  assert losses[1] == pytest.approx(losses[0], rel=1e-5)
  assert found[1] == pytest.approx(found[0], abs=0.01)


@pytest.mark.parametrize('kind', ['one dash', 'flagfile'])
def test_flags_in_other_spellings(finished, tmp_path, cases, kind):
  words = ('-mode=eval', f'-workdir={finished}')
  if kind == 'flagfile':
    flags = (cases / 'flags_in_other_spellings/flags.txt').read_text()
    path = tmp_path / 'flags.txt'
    path.write_text(flags.replace('/tmp/r', str(finished)))
    words = (f'--flagfile={path}',)
  code, out, err = _command(*words)
  assert code == 0 and 'memae' in out, err


def test_numbers_as_labels(cases, tmp_path):
  path = cases / 'numbers_as_labels/t.csv'
  header = path.read_text().splitlines()[0].split(',')
  config = f'configs/arrays.py:path={path},label={header[-1]},normal=1,smoke'
  code, _, err = _train(
    tmp_path / 'a', config, '--config.data.normal_labels=1',
    '--config.fleet.variants=memae,ae',
  )  # fmt: skip
  assert code == 0 or '(' in err.splitlines()[-1], err


@pytest.mark.parametrize(
  ('words', 'line'),
  [
    (('dict.py', '--config.eval.bootstrap=0'), ''),
    (('nocfg.py',), 'get_config'),
    (('none.py',), 'None'),
    (('mine.py:smoke',), 'argument'),
    (('imports.py',), ''),
  ],
)
def test_config_files_of_a_user(cases, tmp_path, words, line):
  name, *more = words
  path = cases / 'own_config_file' / name
  small = ('--config.train.epochs=0.3', '--config.eval.baselines=()')
  ended = _train(tmp_path / 'x', path, *more, *(() if line else small))
  if line:
    _refused(ended, name.partition(':')[0], line)
  else:
    assert ended[0] == 0, ended[2]


def test_the_config_of_a_run_as_config(finished, tmp_path):
  ended = _train(tmp_path / 'again', finished / 'config.json')
  if ended[0]:
    _refused(ended, '--workdir')
  else:
    assert _auroc(tmp_path / 'again') == _auroc(finished)


def test_a_study_without_its_diverged_value(cases, tmp_path):
  folder = cases / 'study_drops_diverged_value'
  workdir = shutil.copytree(folder / 'st1_before', tmp_path / 'st1')
  code, out, err = _command(
    '--dry_run',
    f'--config={folder}/mystudy.py:lrs=0.001+0.002',
    f'--workdir={workdir}',
    module='memae_jax.study',
  )
  assert code == 0, err
  (line,) = [x for x in (out + err).splitlines() if '=0.001' in x]
  assert 'finished' in line and '1e+30' not in line


def test_brackets_in_the_name_of_a_run(tmp_path):
  workdir = tmp_path / 'widths=[64,32]'
  ended = _command(*_RUN, f'--workdir={workdir}')
  if ended[0]:
    _refused(ended, '[')
    assert 'train ' not in ended[2]
  else:
    again = _command('--mode=eval', f'--workdir={workdir}')
    assert again[0] == 0, again[2]
