"""An exported detector scores as evaluation does, and needs only JAX."""

import csv
import datetime
import io
import json
import os
import re
import subprocess
import sys
import zipfile

import jax
import numpy as np
import pandas
import pytest
from PIL import Image

from memae_jax import config as config_lib
from memae_jax import export, scorer
from memae_jax.evaluation.scoring import collect
from memae_jax.exported import expiry, scorer_file
from memae_jax.runtime import errors, progress_bar
from memae_jax.training import checkpoint, experiment, fleet, loop, run_folder
from tests import films, helpers

_DAY = datetime.timedelta(days=2)
_CONV = {
  'model.network': 'conv',
  'model.widths': (4, 6),
  'model.code': 3,
  'model.batch_norm': True,
  'model.memory.per_position': True,
  'fleet.normal_classes': (0,),
  'train.epochs': 1.0,
}
# Kind of run -> config and how many replicas it has.
_RUNS = {
  'dense': (
    helpers.digits,
    {
      'fleet.normal_classes': (0,),
      'fleet.variants': ('memae', 'ae', 'vae'),
      'fleet.slots': (6, 10),
      'eval.normal_quantile': 0.8,
    },
    4,
  ),
  'images': (helpers.digits, _CONV | {'model.memory.read': 'streaming'}, 1),
  'clips': (
    helpers.clips,
    {
      'data.image_size': 16,
      'data.image_width': 24,
      'data.clip_stride': 10,
      'eval.score': 'psnr_centre',
      'eval.checkpoint': 'validation',
      'eval.batch_size': 16,
      'train.epochs': 1.0,
    },
    1,
  ),
  'table': (
    helpers.digits,
    {
      'data.name': 'arrays',
      'data.label_column': 'label',
      'data.normal_labels': ('good',),
      'data.categorical_columns': ('kind',),
      'data.protocol': 'random_rows',
      'data.scaling': 'standard',
      'data.log1p': True,
      'fleet.normal_classes': (),
      'train.epochs': 1.0,
    },
    1,
  ),
}


_SLOW = pytest.mark.slow


def _rows(rows):
  """Replaces the first number by one that is never negative."""
  return [rows[0]] + [
    [f'{20 * abs(float(r[0])):.3f}', *r[1:]] for r in rows[1:]
  ]


def _train(config, workdir):
  exp = experiment.build(config)
  loop.train(exp, workdir)
  with checkpoint.Checkpoints(
    workdir, read_only=True, unpadded=exp.programs.unpadded_shapes
  ) as checkpoints:
    at, state, _ = run_folder.trained(exp, checkpoints, workdir)
  found, _, _ = collect.networks(exp, *collect.select_weights(exp, state, at))
  return exp, {replica.name: replica for replica in found}, workdir


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """Returns a function: kind of run -> experiment, its scores, folder."""
  made = {}

  def get(kind):
    if kind not in made:
      folder = tmp_path_factory.mktemp(kind)
      function, fields, _ = _RUNS[kind]
      if kind == 'table':
        path = helpers.write_csv(folder / 'table.csv', _rows)
        fields = fields | {'data.path': str(path)}
      made[kind] = _train(function(**fields), folder / 'run')
    return made[kind]

  return get


@pytest.fixture(scope='module')
def exported(trained):
  """Returns a function: kind and number of a replica -> path, scorer."""
  made = {}

  def get(kind, index=0):
    if (kind, index) not in made:
      exp, _, folder = trained(kind)
      path = folder / f'{index}.scorer'
      export.to_file(folder, path, exp.replicas[index].name)
      made[kind, index] = path, scorer.load(path)
    return made[kind, index]

  return get


def _raw(exp, rows):
  """Samples as files have them, before their host stage."""
  x, host = exp.source.inputs[rows], exp.source.host
  if host is None:
    return x
  x = x / host.unit + host.centre
  return np.where(host.log1p, np.expm1(x), x)


def _cases():
  return [(k, i) for k, (*_, count) in _RUNS.items() for i in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize(('kind', 'index'), _cases())
def test_the_scores_of_evaluation(trained, exported, kind, index):
  exp, stored, _ = trained(kind)
  _, found = exported(kind, index)
  own = stored[exp.replicas[index].name]
  want, x = own.score, _raw(exp, own.sample)
  # expm1 and log1p of the table round.
  close = {'rtol': 1e-4 if kind == 'table' else 1e-6, 'atol': 0}
  for size in (1, 7, 64, len(x)):
    some = found.score(x[:size])
    assert some.dtype == np.float32
    np.testing.assert_allclose(some, want[:size], **close)
  whole = found.explain(x)
  np.testing.assert_allclose(whole['score'], want, **close)
  assert ('kept' in whole) == (own.kept is not None)
  if own.kept is not None:
    np.testing.assert_array_equal(whole['kept'], own.kept)
  if exp.config.eval.score == 'mse':
    mean = whole['errors'].reshape(len(x), -1).mean(axis=1)
    np.testing.assert_allclose(mean, whole['score'], rtol=1e-5)
  sides = x.shape[1:] if x.ndim == 2 else x.shape[-3:-1]
  assert whole['errors'].shape == (len(x), *sides)


@pytest.mark.parametrize(
  'kind',
  [
    pytest.param(kind, marks=() if kind in ('dense', 'table') else _SLOW)
    for kind in _RUNS
  ],
)
def test_the_threshold_of_evaluation(trained, exported, kind):
  exp, stored, _ = trained(kind)
  _, found = exported(kind)
  own = stored[exp.replicas[0].name]
  want = np.quantile(own.validation_score, exp.config.eval.normal_quantile)
  assert found.threshold == want
  x = _raw(exp, own.sample)
  score = found.score(x)
  np.testing.assert_array_equal(found.flag(x), score > want)
  assert 0 < found.flag(x).sum() <= len(x)


def test_what_the_file_says(trained, exported):
  exp, _, folder = trained('dense')
  path, found = exported('dense', 1)
  assert found.exported.platforms == ('cpu', 'cuda', 'tpu')
  assert found.exported.in_avals[0].shape[1:] == (8, 8, 1)
  meta = found.meta
  assert meta['data_sha256'] == exp.identity['data_sha256']
  assert meta['replica']['name'] == exp.replicas[1].name
  assert config_lib.resolve(meta['config']) == exp.config
  assert meta['checkpoint']['step'] == exp.steps
  assert meta['score']['name'] == 'mse'
  assert meta['environment']['versions']['jax'] == jax.__version__
  assert meta['jax'] == jax.__version__
  today = datetime.datetime.now(datetime.UTC).date()
  assert today - datetime.date.fromisoformat(meta['exported']) < _DAY
  until = expiry.readable_until(jax.__version__)
  assert meta['readable_until'] == (
    f'that JAX and later ones released until {until}'
  )
  again = folder / 'again'
  export.to_file(folder, again, exp.replicas[1].name)
  binary = _members(path)[scorer_file.PROGRAM]
  assert _members(again)[scorer_file.PROGRAM] == binary
  assert b'.py' not in binary


def test_columns_and_csv(trained, exported, tmp_path):
  exp, _, folder = trained('table')
  _, found = exported('table')
  assert [c['name'] for c in found.meta['input']['columns']] == [
    'size', 'weight', 'kind',
  ]  # fmt: skip
  assert found.meta['input']['host']['log1p'] == [True, False, False, False]
  table = folder.parent / 'table.csv'
  whole = found.score(_raw(exp, np.arange(len(exp.source.inputs))))
  np.testing.assert_allclose(found.score(table), whole, rtol=1e-4)
  lines = table.read_text().splitlines()
  for change, message in (
    (lambda s: s.replace('weight', 'height'), 'no column "weight"'),
    (lambda s: s.replace(',a,', ',c,', 1), 'line 2: column "kind" has no'),
    (lambda s: s.replace(',b,', ',,', 1), 'line 3: column "kind" has no value'),
    (lambda s: s + '1,x,a,good\n', 'holds text, "x"'),
    (lambda s: s + '1,2\n', 'has 2 cells, but the header has 4'),
    (lambda s: s + '1,inf,a,good\n', 'line 122: column "weight" is infinite'),
    (lambda s: s + '-1,2,a,good\n', 'input "size" is negative'),
    (lambda s: lines[0] + '\n', 'has no rows of data'),
  ):
    bad = tmp_path / 'bad.csv'
    bad.write_text(change('\n'.join(lines) + '\n'))
    _refused(message, found.score, bad)


def test_other_files_and_a_key(trained, exported, tmp_path, monkeypatch):
  _, found = exported('table')
  table = pandas.read_csv(trained('table')[2].parent / 'table.csv')
  want = found.score(trained('table')[2].parent / 'table.csv')
  table.to_parquet(tmp_path / 'a.parquet')
  table.to_csv(tmp_path / 'A.CSV', sep=';', index=False)
  table.to_csv(tmp_path / 'a.csv.gz')
  for path in tmp_path.iterdir():
    np.testing.assert_array_equal(found.score(path), want)
  monkeypatch.setitem(found.meta['input'], 'key_column', 'part')
  table.assign(part=[f'P-{i}' for i in range(len(table))]).to_csv(
    tmp_path / 'keys.csv'
  )
  lines = scorer._table(found, tmp_path / 'keys.csv')[0].splitlines()
  assert lines[0] == 'row,part,score,flagged'
  assert lines[3].startswith('2,P-2,')
  assert scorer._table(found, tmp_path / 'a.csv.gz')[0].startswith('row,score,')
  table.assign(size=1.5).rename(columns={'weight': ' size'}).to_csv(
    tmp_path / 'twice.csv', index=False
  )
  _refused('two columns .* "size"', found.score, tmp_path / 'twice.csv')


def _refused(message, function, *args):
  with pytest.raises(errors.UserError, match=message) as refused:
    function(*args)
  assert '\n' not in str(refused.value)


@pytest.mark.parametrize(
  ('samples', 'message'),
  [
    (np.zeros((8, 8, 1), np.uint8), 'also for one sample'),
    (np.zeros((2, 9, 8, 1), np.uint8), r'\[2, 9, 8, 1\].*\[B, 8, 8, 1\] uint8'),
    (np.zeros((2, 64), np.uint8), 'have shape'),
    (np.zeros((2, 8, 8, 1), np.float32), 'are float32.*uint8, not scaled'),
    (np.zeros((2, 8, 8, 1), np.int64), 'are int64'),
    (np.zeros((0, 8, 8, 1), np.uint8), 'no sample'),
    ('nowhere.npy', 'does not exist'),
  ],
)
def test_samples_that_are_refused(exported, samples, message):
  _refused(message, exported('dense')[1].score, samples)


def test_numbers_that_are_refused(exported):
  found = exported('table')[1]
  for value, message in (
    (np.nan, 'row 1: input "size" is missing'),
    (np.inf, 'infinite'),
    (-1, 'negative'),
  ):
    _refused(message, found.score, [[1.0, 2, 0, 1], [value, 2, 0, 1]])
  _refused('are <U1', found.score, np.full((2, 4), 'a'))
  _refused('are complex', found.score, np.zeros((2, 4), complex))


def _members(path):
  with zipfile.ZipFile(path) as archive:
    return {name: archive.read(name) for name in archive.namelist()}


def _archive(members, how=zipfile.ZIP_STORED):
  content = io.BytesIO()
  with zipfile.ZipFile(content, 'w', how) as archive:
    for name, part in members.items():
      archive.writestr(name, part)
  return content.getvalue()


def _with_meta(path, **changes):
  members = _members(path)
  meta = json.loads(members[scorer_file.META]) | changes
  return _archive(members | {scorer_file.META: json.dumps(meta)})


def _flipped(path, part=0.5):
  content = bytearray(path.read_bytes())
  content[int(len(content) * part)] ^= 1
  return bytes(content)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (lambda p: b'', 'damaged'),
    (lambda p: b'not a scorer', 'damaged'),
    (lambda p: p.read_bytes()[:-100], 'damaged'),
    (lambda p: p.read_bytes()[:2000], 'damaged'),
    (_flipped, 'damaged'),
    (lambda p: _archive({'a.npy': b'1'}), 'other members'),
    (lambda p: _archive(_members(p) | {'../x': b''}), 'other members'),
    (lambda p: _archive(_members(p), zipfile.ZIP_DEFLATED), 'compressed'),
    (
      lambda p: _archive(_members(p) | {scorer_file.PROGRAM: b'other'}),
      'sha256 of the program',
    ),
    (lambda p: _archive(_members(p) | {scorer_file.META: b'[]'}), 'damaged'),
    (
      lambda p: _archive(_members(p) | {scorer_file.META: b'[' * 9**6}),
      'damaged',
    ),
    (lambda p: _with_meta(p, format='zip'), "its format is 'zip'"),
    (lambda p: _with_meta(p, version=1), 'has version 1 .* export the run'),
    (lambda p: _with_meta(p, input={}), 'damaged'),
    (lambda p: _with_meta(p, blocks={'default': 0}), 'not sound'),
    (lambda p: _with_meta(p, threshold='high'), "threshold is 'high'"),
    (lambda p: _with_meta(p, threshold=np.nan), 'threshold is nan'),
    (lambda p: _with_meta(p, threshold=None), 'threshold is None'),
    (lambda p: _with_meta(p, jax=['0.10']), '"jax" is no line of text'),
    (lambda p: _with_meta(p, readable_until='a\nb'), '"readable_until" is no'),
  ],
)
def test_files_that_are_refused(exported, tmp_path, change, message):
  path = tmp_path / 'bad.scorer'
  path.write_bytes(change(exported('dense')[0]))
  _refused(message, scorer.load, path)


_MUTANTS = 2000 if os.environ.get('MEMAE_TEST_THOROUGH') == '1' else 150


def _changed_bytes(rng, content):
  """Cut short, or with some bytes changed, left out or put in."""
  at = rng.integers(len(content))
  part = rng.bytes(rng.integers(1, 20))
  return [
    content[:at],
    content[:at] + part + content[at + len(part) :],
    content[:at] + part + content[at:],
    content[:at] + content[at + len(part) :],
  ][rng.integers(4)]


def test_mutants_of_a_file_are_refused_or_are_the_same(exported, tmp_path):
  content, rng = exported('dense')[0].read_bytes(), np.random.default_rng(0)
  path, want = tmp_path / 'mutant.scorer', exported('dense')[1].meta
  for _ in range(_MUTANTS):
    path.write_bytes(_changed_bytes(rng, content))
    try:
      assert scorer.load(path).meta == want
    except errors.UserError as error:
      assert 'mutant.scorer' in str(error) and '\n' not in str(error)


def _changed_meta(rng, node):
  """One value somewhere in JSON replaced by something else, or left out."""
  keys = list(node) if isinstance(node, dict) else list(range(len(node)))
  key = keys[rng.integers(len(keys))]
  if isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.7:
    _changed_meta(rng, node[key])
  elif rng.random() < 0.2:
    del node[key]
  else:
    strange = [None, -1, 2**70, 0.5, 'x', [], {}, [[]], True, float('nan')]
    node[key] = strange[rng.integers(len(strange))]


def test_mutants_of_what_a_file_says_never_end_in_a_traceback(
  trained, exported, tmp_path
):
  path, rng = tmp_path / 'mutant.scorer', np.random.default_rng(0)
  members = _members(exported('table')[0])
  exp, stored, _ = trained('table')
  own = stored['memae']
  x = _raw(exp, own.sample[:3])
  scored = 0
  for _ in range(_MUTANTS):
    meta = json.loads(members[scorer_file.META])
    read = {key: meta[key] for key in ('input', 'threshold', 'blocks')}
    _changed_meta(rng, read)
    meta |= read
    path.write_bytes(_archive(members | {scorer_file.META: json.dumps(meta)}))
    try:
      mutant = scorer.load(path)
      if scored < 20:  # Each compiles.
        assert mutant.flag(x).shape == (3,)
      scored += 1
    except errors.UserError as error:
      assert '\n' not in str(error)
  assert 0 < scored < _MUTANTS


def test_programs_that_are_refused(exported, tmp_path):
  good, other = exported('dense')[0], exported('images')[0]
  path = tmp_path / 'bad.scorer'
  meta = json.loads(_members(good)[scorer_file.META])
  export.write(path, b'no program', meta)
  now = re.escape(jax.__version__)
  _refused(
    f'was written by jax {now}, readable by that JAX and later ones released'
    f' until .*; jax {now} cannot read it .* export the run again with this'
    f' jax, or score with jax {now}$',
    scorer.load,
    path,
  )
  meta['input']['shape'] = [9, 8, 1]
  export.write(path, _members(other)[scorer_file.PROGRAM], meta)
  _refused('something else than its meta.json says', scorer.load, path)
  _refused('is not a file', scorer.load, tmp_path)
  _refused('is not a file', scorer.load, tmp_path / 'nowhere')


def test_files_that_do_not_say_until_when_they_can_be_read(exported, tmp_path):
  path, found = exported('dense')
  members = _members(path)
  meta = json.loads(members[scorer_file.META])
  for key in 'jax', 'exported', 'readable_until':
    del meta[key]
  early = tmp_path / 'early.scorer'
  early.write_bytes(_archive(members | {scorer_file.META: json.dumps(meta)}))
  x = np.zeros((2, 8, 8, 1), np.uint8)
  np.testing.assert_array_equal(scorer.load(early).score(x), found.score(x))
  export.write(early, b'no program', meta)
  now = re.escape(jax.__version__)
  _refused(f'jax {now}, readable until unknown;', scorer.load, early)
  meta['environment'] = ['other']
  export.write(early, b'no program', meta)
  _refused('jax of an unknown version, .* again with', scorer.load, early)


def test_a_program_that_has_expired(exported, monkeypatch):
  """In the words of jax 0.12."""

  def expired(_):
    raise ValueError(
      'Exported being deserialized seems to be older than the 6-month'
      ' backward-compatibility window and cannot be deserialized anymore.'
    )

  monkeypatch.setattr(jax.export, 'deserialize', expired)
  _refused(
    r'cannot read it \(it has expired\); export the run again',
    scorer.load,
    exported('dense')[0],
  )


def test_runs_that_are_refused(trained, tmp_path):
  _, _, folder = trained('dense')
  _refused('did you mean|known', export.to_file, folder, tmp_path / 'a', 'gan')
  _refused('.', export.to_file, tmp_path, tmp_path / 'a')
  _, _, clips = trained('clips')
  config = json.loads((clips / 'config.json').read_text())
  config['eval']['score'] = 'mse_averaged'
  (tmp_path / 'config.json').write_text(json.dumps(config))
  _refused('all clips of a video', export.to_file, tmp_path, tmp_path / 'a')
  assert not (tmp_path / 'a').exists()


def test_find_takes_the_first_by_default():
  found = fleet.replicas(helpers.digits())
  assert fleet.find(found, '') == 0
  assert fleet.find(found, found[1].name) == 1


_ALONE = """
import sys
import numpy as np
from memae_jax import scorer
found = scorer.load(sys.argv[1])
print(repr(found.score(sys.argv[2]).tolist()))
ours = {m.removeprefix('memae_jax.') for m in sys.modules
        if m.startswith('memae_jax.')}
assert ours <= {
  'data', 'data.host_stage', 'data.tables', 'data.tables.npz',
  'data.tables.numbers', 'data.types', 'exported', 'exported.scorer_file',
  'runtime', 'runtime.child',
  'runtime.errors', 'runtime.foreign', 'runtime.host', 'runtime.jax_settings',
  'runtime.paths', 'runtime.spreadsheet', 'runtime.streams', 'scorer'}, ours
heavy = ['flax', 'orbax', 'grain', 'tensorflow_datasets', 'sklearn', 'optax',
         'absl', 'ml_collections', 'matplotlib', 'tqdm', 'PIL', 'torch']
assert not set(heavy) & set(sys.modules), set(heavy) & set(sys.modules)
"""


def _child(*argv):
  environment = {'PYTHONPATH': str(helpers.ROOT), 'JAX_PLATFORMS': 'cpu'}
  return subprocess.run(
    [sys.executable, *map(str, argv)],
    capture_output=True,
    text=True,
    env=environment,
  )


def test_a_fresh_process_needs_only_jax(trained, exported, tmp_path):
  exp, stored, _ = trained('images')
  path, found = exported('images')
  x = exp.source.inputs[stored['memae'].sample[:5]]
  np.save(tmp_path / 'x.npy', x)
  done = _child('-c', _ALONE, path, tmp_path / 'x.npy')
  assert done.returncode == 0, done.stderr
  np.testing.assert_allclose(json.loads(done.stdout), found.score(x), rtol=1e-5)


def test_without_flatbuffers(trained, exported, monkeypatch, tmp_path):
  path, (_, _, folder) = exported('dense')[0], trained('dense')
  monkeypatch.setitem(sys.modules, 'flatbuffers', None)
  _refused('flatbuffers is missing', scorer.load, path)
  _refused('flatbuffers is missing', export.to_file, folder, tmp_path / 'a')


def test_pictures(trained, exported, tmp_path):
  exp, _, _ = trained('images')
  _, found = exported('images')
  folder, x = tmp_path / 'new', exp.source.inputs[:12]
  folder.mkdir()
  for i, image in enumerate(x):
    Image.fromarray(image[..., 0]).save(folder / f'{i}.png')
  np.savez(tmp_path / 'x.npz', inputs=x, label=np.zeros(12))
  want = found.score(x)
  np.testing.assert_array_equal(found.score(folder), want)
  np.testing.assert_array_equal(found.score(folder / '3.png'), want[3:4])
  np.testing.assert_array_equal(found.score(str(tmp_path / 'x.npz')), want)
  assert found.read(folder)[0] == [f'{i}.png' for i in range(12)]
  Image.fromarray(np.zeros((9, 8), np.uint8)).save(folder / '12.png')
  _refused('12.png is 8x9, but the network takes 8x8', found.score, folder)
  (tmp_path / 'empty').mkdir()
  _refused('has no picture', found.score, tmp_path / 'empty')
  np.savez(tmp_path / 'two.npz', a=x, b=x)
  _refused('has arrays a, b', found.score, tmp_path / 'two.npz')
  np.save(tmp_path / 'o.npy', np.array([{}], object), allow_pickle=True)
  _refused('Python objects', found.score, tmp_path / 'o.npy')
  _refused('is no table', exported('table')[1].score, folder)


def test_videos(trained, exported, tmp_path, capsys, caplog):
  exp, stored, _ = trained('clips')
  path, found = exported('clips')
  videos = exp.source.videos
  rows = stored['memae'].sample
  own = np.flatnonzero(videos.video[rows] == videos.video[rows[0]])
  number = exp.source.inputs.number[rows[own]]
  first = number.min()
  folder = tmp_path / 'walk'
  folder.mkdir()
  for i in range(first, number.max() + 1):
    image = Image.fromarray(exp.source.inputs.frames[i][..., 0])
    image.save(folder / f'{i - first}.png')
  frames, _ = found.read(folder)
  assert frames == videos.frame[rows[own]].tolist()
  want = stored['memae'].score[own]
  np.testing.assert_allclose(found.score(folder), want, rtol=1e-6)
  assert found.explain(folder)['errors'].shape == (len(own), 16, 24)
  _, found_clips = found.read(folder)
  assert found_clips.seconds is None
  film = films.write(tmp_path / 'walk.mkv', films.pixels(24), 'ffv1', rate=10)
  film.write_bytes(film.read_bytes()[:-3000])
  capsys.readouterr()
  with caplog.at_level('WARNING'):
    assert scorer.main([str(path), str(film)]) == 0
  assert 'walk.mkv ends early' in caplog.text
  rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
  assert rows[0]['frame'] == '8' and rows[0]['seconds'] == '0.8'
  for i in range(15, number.max() + 1 - first):
    (folder / f'{i}.png').unlink()
  _refused('has 15 frames, but a clip takes 16', found.score, folder)
  _refused('is not a video', found.score, path)


def test_the_command_line(trained, exported, tmp_path, capsys):
  exp, _, _ = trained('images')
  path, found = exported('images')
  x = exp.source.inputs[:6]
  np.save(tmp_path / 'x.npy', x)
  argv = [str(path), str(tmp_path / 'x.npy')]
  capsys.readouterr()  # Of the export, where this test is its first user.
  assert scorer.main(argv) == 0
  printed = capsys.readouterr().out
  assert scorer.main([*argv, f'--to={tmp_path / "new" / "scores.csv"}']) == 0
  assert (tmp_path / 'new' / 'scores.csv').read_text() == printed
  assert f'{found.flag(x).sum()} of 6' in capsys.readouterr().out
  rows = list(csv.DictReader(io.StringIO(printed)))
  assert [row['image'] for row in rows] == list('012345')
  np.testing.assert_array_equal(
    np.float32([row['score'] for row in rows]), found.score(x)
  )
  assert [row['flagged'] == '1' for row in rows] == found.flag(x).tolist()
  assert scorer.main([argv[1], argv[1]]) == 2
  error = capsys.readouterr().err
  assert error.startswith('error: ') and error.count('\n') == 1


@pytest.mark.slow
def test_exporting_from_the_command_line(trained, tmp_path):
  _, _, folder = trained('table')
  process = helpers.start(
    str(folder), f'--to={tmp_path / "a"}', module='memae_jax.export'
  )
  out, err = process.communicate(timeout=300)
  assert process.returncode == 0, err
  assert 'python -m memae_jax.scorer' in out
  assert (
    'readable by that JAX and later ones released until' in out.splitlines()[-1]
  )
  assert scorer.load(tmp_path / 'a').threshold > 0
  process = helpers.start(str(folder), module='memae_jax.export')
  _, err = process.communicate(timeout=300)
  assert process.returncode == 2
  assert err.splitlines()[-1] == 'error: give the folder of a run and --to=FILE'


def test_a_progress_bar_comes_without_tqdm():
  assert 'tqdm' not in vars(progress_bar)
