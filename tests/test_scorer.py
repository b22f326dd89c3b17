"""An exported detector scores as evaluation does, and needs only JAX."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pandas
import pytest
from PIL import Image

from memae_jax import scorer
from memae_jax.exported import scored_file, scorer_file
from tests import exports, films, helpers

_SLOW = pytest.mark.slow


def _cases():
  return [
    (k, i) for k, (*_, count) in exports.RUNS.items() for i in range(count)
  ]


@pytest.mark.slow
@pytest.mark.parametrize(('kind', 'index'), _cases())
def test_the_scores_of_evaluation(scored_run, scorer_of, kind, index):
  exp, stored, _ = scored_run(kind)
  _, found = scorer_of(kind, index)
  own = stored[exp.replicas[index].name]
  want, x = own.score, exports.raw(exp, own.sample)
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
    for kind in exports.RUNS
  ],
)
def test_the_threshold_of_evaluation(scored_run, scorer_of, kind):
  exp, stored, _ = scored_run(kind)
  _, found = scorer_of(kind)
  own = stored[exp.replicas[0].name]
  want = np.quantile(own.validation_score, exp.config.eval.normal_quantile)
  assert found.threshold == want
  x = exports.raw(exp, own.sample)
  score = found.score(x)
  np.testing.assert_array_equal(found.flag(x), score > want)
  assert 0 < found.flag(x).sum() <= len(x)


def test_columns_and_csv(scored_run, scorer_of, tmp_path):
  exp, _, folder = scored_run('table')
  _, found = scorer_of('table')
  assert [c['name'] for c in found.meta['input']['columns']] == [
    'size', 'weight', 'kind',
  ]  # fmt: skip
  assert found.meta['input']['host']['log1p'] == [True, False, False, False]
  table = folder.parent / 'table.csv'
  whole = found.score(exports.raw(exp, np.arange(len(exp.source.inputs))))
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
    exports.refused(message, found.score, bad)


def test_other_files_and_a_key(scored_run, scorer_of, tmp_path, monkeypatch):
  _, found = scorer_of('table')
  table = pandas.read_csv(scored_run('table')[2].parent / 'table.csv')
  want = found.score(scored_run('table')[2].parent / 'table.csv')
  table.to_parquet(tmp_path / 'a.parquet')
  table.to_csv(tmp_path / 'A.CSV', sep=';', index=False)
  table.to_csv(tmp_path / 'a.csv.gz')
  for path in tmp_path.iterdir():
    np.testing.assert_array_equal(found.score(path), want)
  monkeypatch.setitem(found.meta['input'], 'key_column', 'part')
  table.assign(part=[f'P-{i}' for i in range(len(table))]).to_csv(
    tmp_path / 'keys.csv'
  )
  lines = scored_file.score(found, tmp_path / 'keys.csv')[0].splitlines()
  assert lines[0] == 'row,part,score,flagged'
  assert lines[3].startswith('2,P-2,')
  assert scored_file.score(found, tmp_path / 'a.csv.gz')[0].startswith(
    'row,score,'
  )
  table.assign(size=1.5).rename(columns={'weight': ' size'}).to_csv(
    tmp_path / 'twice.csv', index=False
  )
  exports.refused('two columns .* "size"', found.score, tmp_path / 'twice.csv')


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
def test_samples_that_are_refused(scorer_of, samples, message):
  exports.refused(message, scorer_of('dense')[1].score, samples)


def test_numbers_that_are_refused(scorer_of):
  found = scorer_of('table')[1]
  for value, message in (
    (np.nan, 'row 1: input "size" is missing'),
    (np.inf, 'infinite'),
    (-1, 'negative'),
  ):
    exports.refused(message, found.score, [[1.0, 2, 0, 1], [value, 2, 0, 1]])
  exports.refused('are <U1', found.score, np.full((2, 4), 'a'))
  exports.refused('are complex', found.score, np.zeros((2, 4), complex))


def test_contributions_of_columns(scored_run, scorer_of, tmp_path, capsys):
  exp, stored, folder = scored_run('table')
  path, found = scorer_of('table')
  x = exports.raw(exp, stored['memae'].sample)
  added, score = found.contributions(x), found.score(x)
  assert found.columns == ['size', 'weight', 'kind']
  assert added.shape == (len(x), 3) and (added >= 0).all()
  np.testing.assert_allclose(added.sum(axis=1), score, rtol=1e-5)
  each = tmp_path / 'each.csv'
  table = folder.parent / 'table.csv'
  argv = [str(path), str(table), '--columns=2', f'--contributions={each}']
  assert scorer.main(argv) == 0
  rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
  assert list(rows[0])[-4:] == ['column_1', 'share_1', 'column_2', 'share_2']
  written = pandas.read_csv(each)
  np.testing.assert_allclose(
    written[found.columns].sum(axis=1), written['score'], rtol=1e-5
  )
  strongest = written[found.columns].idxmax(axis=1).tolist()
  assert [row['column_1'] for row in rows] == strongest
  # Scores of images have no columns.
  path, images = scorer_of('dense')
  exports.refused('no rows of a table', images.contributions, x)
  assert scorer.main([str(path), str(table), '--columns=2']) == 2
  assert 'no rows of a table' in capsys.readouterr().err


_ALONE = """
import sys
import numpy as np
from memae_jax import scorer
found = scorer.load(sys.argv[1])
print(repr(found.score(sys.argv[2]).tolist()))
ours = {m.removeprefix('memae_jax.') for m in sys.modules
        if m.startswith('memae_jax.')}
assert ours <= {
  'conformal', 'data', 'data.aligned', 'data.host_stage', 'data.stream_samples',
  'data.tables',
  'data.tables.contributions', 'data.tables.npz', 'data.tables.numbers',
  'data.types', 'exported',
  'exported.alarms', 'exported.by_column', 'exported.hourly',
  'exported.sample_files', 'exported.scorer_file', 'exported.stream',
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


def test_a_fresh_process_needs_only_jax(scored_run, scorer_of, tmp_path):
  exp, stored, _ = scored_run('images')
  path, found = scorer_of('images')
  x = exp.source.inputs[stored['memae'].sample[:5]]
  np.save(tmp_path / 'x.npy', x)
  done = _child('-c', _ALONE, path, tmp_path / 'x.npy')
  assert done.returncode == 0, done.stderr
  np.testing.assert_allclose(json.loads(done.stdout), found.score(x), rtol=1e-5)


def test_pictures(scored_run, scorer_of, tmp_path):
  exp, _, _ = scored_run('images')
  _, found = scorer_of('images')
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
  exports.refused(
    '12.png is 8x9, but the network takes 8x8', found.score, folder
  )
  (tmp_path / 'empty').mkdir()
  exports.refused('has no picture', found.score, tmp_path / 'empty')
  np.savez(tmp_path / 'two.npz', a=x, b=x)
  exports.refused('has arrays a, b', found.score, tmp_path / 'two.npz')
  np.save(tmp_path / 'o.npy', np.array([{}], object), allow_pickle=True)
  exports.refused('Python objects', found.score, tmp_path / 'o.npy')
  exports.refused('is no table', scorer_of('table')[1].score, folder)


def test_videos(scored_run, scorer_of, tmp_path, capsys, caplog):
  exp, stored, _ = scored_run('clips')
  path, found = scorer_of('clips')
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
  exports.refused('has 15 frames, but a clip takes 16', found.score, folder)
  exports.refused('is not a video', found.score, path)


def test_a_video_whose_motion_is_seen(scored_run, scorer_of, tmp_path):
  """The scorer finds the motion of a folder of frames by itself."""
  exp, stored, _ = scored_run('motion')
  path, found = scorer_of('motion')
  assert found.meta['input']['kind'] == 'clips'
  assert found.meta['input']['shape'] == [16, 24, 3]
  rows = stored['memae'].sample[:80]
  numbers = exp.source.inputs.number[rows]
  for i, number in enumerate(numbers):
    image = Image.fromarray(exp.source.pictures[number][..., 0])
    image.save(tmp_path / f'{i}.png')
  frames, _ = found.read(tmp_path)
  assert frames == list(range(80))
  want = stored['memae'].score[:80]
  np.testing.assert_allclose(found.score(tmp_path), want, rtol=1e-5)
  x = exp.source.inputs[rows]
  np.testing.assert_allclose(found.score(x), want, rtol=1e-6)
  members = exports.members(path)
  meta = json.loads(members[scorer_file.META])
  meta['input']['motion'] = {'input': 'both'}
  members[scorer_file.META] = json.dumps(meta).encode()
  (tmp_path / 'odd.scorer').write_bytes(exports.archive(members))
  odd = scorer.load(tmp_path / 'odd.scorer')
  exports.refused('not sound; export', odd.score, tmp_path)


def test_the_command_line(scored_run, scorer_of, tmp_path, capsys):
  exp, _, _ = scored_run('images')
  path, found = scorer_of('images')
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


def test_alarms_at_a_stated_rate(scored_run, scorer_of, tmp_path, capsys):
  exp, stored, _ = scored_run('images')
  path, found = scorer_of('images')
  sample = stored['memae'].sample
  x, normal = exp.source.inputs[sample], stored['memae'].validation_score
  score, rate = found.score(x), 1.5 / (len(normal) + 1)
  known = np.array(found.meta['normal_scores'])
  np.testing.assert_allclose(known, np.sort(normal), rtol=1e-5)
  p = (1 + (known >= score[:, None]).sum(axis=1)) / (len(known) + 1)
  np.testing.assert_allclose(found.p_value(x), p)
  flagged = found.flag(x, false_alarm=rate)
  np.testing.assert_array_equal(flagged, p <= rate)
  assert not np.array_equal(flagged, found.flag(x))
  np.save(tmp_path / 'x.npy', x)
  argv = [str(path), str(tmp_path / 'x.npy'), f'--to={tmp_path / "s.csv"}']
  assert scorer.main([*argv, f'--false_alarm={rate}']) == 0
  assert f'{flagged.sum()} of {len(x)} above' in capsys.readouterr().out
  assert (
    (tmp_path / 's.csv').read_text().startswith('image,score,p_value,flagged')
  )
  assert scorer.main([*argv, '--false_alarm=1e-9']) == 2
  assert 'validation normals allow no rate' in capsys.readouterr().err
  one = found.stream(false_alarm=rate).push(x[0])[0]
  assert one.flagged == (score[0] > known[-1])
