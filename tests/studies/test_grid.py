"""Points: vocabulary, aliases, what a variant reads, the files in configs/."""

import pytest

from memae_jax.config import config_file
from memae_jax.runtime import errors
from memae_jax.studies import grid, runs
from tests import helpers
from tests.data.images import pictures

FILES = sorted((helpers.ROOT / 'configs/studies').glob('*.py'))
_RUNS = {
  'threshold_similarity': 3,
  'bank_size_mnist': 2,
  'bank_size_screw': 2,
  'inputs_ped2': 10,
  'mvtec': 6,  # Categories.
  'tables': 2,  # Files.
}


def points(folder, given, fields=None, **base):
  """The points of a study of digits."""
  helpers.write_config(folder / 'base.py', helpers.digits(**base))
  study = grid.Study('base.py', given, fields or {})
  return grid.points(study, folder)


def test_vocabulary():
  slots = grid.sweep('slots', (1, 2))
  alphas = grid.sweep('alpha', (0.0, 0.1))
  both = [{'slots': n, 'alpha': a} for n in (1, 2) for a in (0.0, 0.1)]
  assert grid.product(slots, alphas) == both
  assert grid.zipit(slots, alphas) == [both[0], both[3]]
  assert grid.chain(slots, alphas) == slots + alphas
  assert grid.product() == [{}]
  with pytest.raises(errors.UserError, match='2, 3 values cannot be zipped'):
    grid.zipit(slots, grid.sweep('alpha', (0.0, 0.1, 0.2)))
  with pytest.raises(errors.UserError, match='"slots" is swept twice'):
    grid.product(slots, slots)


@pytest.mark.parametrize('name', ['slots', 'fleet.slots', 'model.memory.slots'])
def test_names_of_an_axis(tmp_path, name):
  resolved = points(
    tmp_path, grid.sweep(name, (3, 4)), **{'fleet.slots': (7, 8)}
  )
  assert [p.config.model.memory.slots for p in resolved] == [3, 4]
  assert all(p.config.fleet.slots == () for p in resolved)
  assert [p.fields for p in resolved] == [
    {'model.memory.slots': 3},
    {'model.memory.slots': 4},
  ]


def test_a_base_with_several_variants_and_axes_is_expanded(tmp_path):
  resolved = points(
    tmp_path,
    grid.sweep('train.batch_size', (8, 16)),
    **{'fleet.variants': ('memae', 'ae'), 'fleet.alphas': (0.0, 0.1)},
  )
  assert [p.fields for p in resolved[:3]] == [
    {'train.batch_size': 8, 'variant': 'memae', 'train.alpha': 0.0},
    {'train.batch_size': 8, 'variant': 'memae', 'train.alpha': 0.1},
    {'train.batch_size': 8, 'variant': 'ae'},
  ]
  assert len(resolved) == 6


def test_what_a_variant_does_not_read_makes_no_point(tmp_path):
  given = grid.product(
    grid.sweep('variant', ('memae', 'nonspar', 'ae')),
    grid.sweep('slots', (5, 6)),
    grid.sweep('threshold', (0.0, 1.0)),
  )
  resolved = points(tmp_path, given)
  of = lambda variant: [p for p in resolved if p.fields['variant'] == variant]
  assert [len(of(v)) for v in ('memae', 'nonspar', 'ae')] == [4, 2, 1]
  assert of('ae')[0].fields == {'variant': 'ae'}
  assert grid.varying(resolved) == [
    'variant',
    'model.memory.slots',
    'model.memory.threshold',
  ]
  whole = grid.filled(of('memae')[0], grid.varying(resolved))
  assert list(whole) == grid.varying(resolved)
  assert list(grid.filled(of('ae')[0], grid.varying(resolved))) == ['variant']


def test_notes_are_no_fields(tmp_path):
  (one,) = points(tmp_path, [{'label': 'mine', 'published': 0.9, 'seed': 3}])
  assert (one.label, one.published) == ('mine', 0.9)
  assert one.fields == {'train.seed': 3} and one.config.train.seed == 3


@pytest.mark.parametrize(
  'given,words',
  [
    ({'model.memory.slot': 3}, 'model.memory.slot" is unknown.*"slots"'),
    ({'modle.memory.slots': 3}, 'modle.memory.slots" is unknown'),
    ({'slots': 'many'}, 'model.memory.slots" is .many.'),
    ({'variant': 'mamae'}, 'must be one of'),
    ({'slots': 3, 'fleet.slots': 4}, 'sets "model.memory.slots" twice'),
  ],
)
def test_errors_name_the_field(tmp_path, given, words):
  with pytest.raises(errors.UserError, match=words):
    points(tmp_path, [given])


@pytest.mark.parametrize(
  'text,words',
  [
    ('', 'defines no get_study'),
    ('def get_study():\n  return 3', 'returns no Study'),
    ('def get_study():\n  return 1 / 0', 'line 2: ZeroDivisionError'),
    (
      'from memae_jax.studies import grid\n\n\n'
      "def get_study():\n  return grid.Study('b.py', [{}], metric='auc')",
      'metric "auc" is unknown.*did you mean',
    ),
  ],
)
def test_files_that_describe_no_study(tmp_path, text, words):
  (tmp_path / 'study.py').write_text(text)
  with pytest.raises(errors.UserError, match=words):
    grid.load(str(tmp_path / 'study.py'))
  with pytest.raises(errors.UserError, match='does not exist'):
    grid.load(str(tmp_path / 'nothing.py:smoke'))


@pytest.mark.parametrize('argument', ['', 'smoke'])
@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_ready_studies(path, argument, tmp_path):
  if path.stem == 'mvtec':
    argument += f',path={pictures.five_sets(tmp_path)}'
  if path.stem == 'tables':
    for name in ('one.csv', 'other.npz', 'readme.txt'):
      (tmp_path / name).touch()
    argument += f',path={tmp_path}'
  study, folder = grid.load(f'{path}:{argument}')
  planned = runs.plan(grid.points(study, folder), tmp_path)
  assert study.name == path.stem
  counts = _RUNS | {'pollution_mnist': 10 if argument else 54}
  assert len(planned) == counts.get(path.stem, 1)
  assert {run.state for run in planned} == {'new'}
  with pytest.raises(errors.UserError, match='config argument "smokey"'):
    grid.load(f'{path}:smokey')


def test_the_ablation_names_its_bases():
  path = helpers.ROOT / 'configs/studies/ablation.py'
  for base in ('digits', 'mnist', 'kddcup99', 'ped2', 'moving_shapes'):
    study, folder = grid.load(f'{path}:base={base},seeds=1,epochs=1.0')
    resolved = grid.points(study, folder)
    assert len(resolved) == 6
    assert {p.config.train.epochs for p in resolved} == {1.0}
    assert (resolved[0].published is not None) == (base == 'ped2')
  with pytest.raises(errors.UserError, match='"base" is "nist"; use digits'):
    grid.load(f'{path}:base=nist')


@pytest.mark.parametrize('name', ['ablation', 'seeds'])
def test_a_study_on_further_seeds(name):
  path = helpers.ROOT / f'configs/studies/{name}.py'
  study, folder = grid.load(f'{path}:base=digits,classes=1,seed=4,seeds=3')
  resolved = grid.points(study, folder)
  seeds = {
    one.config.train.seed + i
    for one in resolved
    for i in range(one.config.fleet.seeds)
  }
  assert seeds == {4, 5, 6}


def test_categories_are_points(tmp_path, monkeypatch):
  path = helpers.ROOT / 'configs/studies/mvtec.py'
  root = pictures.five_sets(tmp_path / 'sets')
  study, folder = grid.load(f'{path}:path={root}/mvtec,variant=ae+bank,size=64')
  resolved = grid.points(study, folder)
  assert [p.label for p in resolved] == [
    'metal_nut, ae',
    'metal_nut, bank',
    'screw, ae',
    'screw, bank',
  ]
  assert resolved[-1].config.data.path == str(root / 'mvtec/screw')
  assert {p.config.data.image_size for p in resolved} == {64}
  assert {p.config.eval.defect_area for p in resolved} == {0.0005}
  monkeypatch.setenv('MEMAE_DATA_DIR', str(root))  # As if it were prepared.
  prepared, _ = grid.load(f'{path}:variant=ae+bank')
  assert prepared.points == study.points
  with pytest.raises(errors.UserError, match='papers has no folder of a cate'):
    grid.load(f'{path}:path={root}/papers')


def test_categories_by_patches(tmp_path):
  """The comparison of configs/mvtec.py, of each category that is found."""
  path = helpers.ROOT / 'configs/studies/mvtec.py'
  root = pictures.five_sets(tmp_path / 'sets')
  study, folder = grid.load(f'{path}:path={root},patch=64,size=192')
  resolved = grid.points(study, folder)
  theirs = config_file.get_config(f'{helpers.ROOT}/configs/mvtec.py:patch=64')
  variants = theirs.fleet.variants
  names = [one.label.split(', ') for one in resolved]
  assert len(names) == 6 * len(variants)
  assert {tuple(v for c, v in names if c == 'screw')} == {variants}
  for one in resolved:
    assert one.config.model.kernels == (4, 4, 3, 4, 3, 4, 3, 3, 4)
    data = one.config.data
    assert (data.patch, data.patch_stride, data.image_size) == (64, 16, 192)
    assert one.config.train.epochs == theirs.train.epochs
  small, folder = grid.load(f'{path}:path={root},patch=32,variant=ae,smoke')
  small = grid.points(small, folder)[0].config
  assert (small.data.image_size, small.train.epochs) == (48, 1.0)


def test_tables_of_a_folder_are_ranked(tmp_path):
  path = helpers.ROOT / 'configs/studies/tables.py'
  for name in ('b.csv', 'a.npz'):
    (tmp_path / name).touch()
  study, folder = grid.load(f'{path}:path={tmp_path},variant=ae+bank')
  resolved = grid.points(study, folder)
  labels = [point.label for point in resolved]
  assert labels == ['a.npz, ae', 'a.npz, bank', 'b.csv, ae', 'b.csv, bank']
  assert study.ranked == 'data.path'
  assert resolved[1].config.methods.bank.features == 'raw'
  with pytest.raises(errors.UserError, match='has no csv, npz or parquet file'):
    grid.load(f'{path}:path={tmp_path}/none')
