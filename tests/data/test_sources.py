import subprocess
import sys

import numpy as np
import pytest

from memae_jax.data import sources
from memae_jax.runtime import errors


def test_max_samples_keeps_the_same_subset(data_config):
  all_samples = sources.load(data_config())
  a, b = (sources.load(data_config(max_samples=100)) for _ in range(2))
  np.testing.assert_array_equal(a.inputs, b.inputs)
  assert len(a.inputs) == len(a.labels) == 100
  assert a.dropped == (
    {'count': 1697, 'why': 'data.max_samples=100 keeps a random subset'},
  )
  rows = {row.tobytes() for row in all_samples.inputs}
  assert all(row.tobytes() in rows for row in a.inputs)
  assert not sources.load(data_config(max_samples=5000)).dropped


def test_one_of_equal_rows_of_a_label_is_kept_before_the_split(
  data_config, tmp_path
):
  rows = np.random.default_rng(0).integers(0, 10**6, (60, 3))
  rows = np.concatenate([rows, rows[:20], rows[:5]])
  labels = ['normal'] * 80 + ['odd'] * 5
  lines = [f'{a},{b},{c},{name}' for (a, b, c), name in zip(rows, labels)]
  (tmp_path / 'a.csv').write_text('\n'.join(['a,b,c,kind', *lines]))
  config = data_config(
    name='arrays',
    path=str(tmp_path / 'a.csv'),
    label_column='kind',
    protocol='random_rows',
    normal_labels=('normal',),
    unique=True,
  )
  source = sources.load(config)
  # The odd rows equal normal ones, and stay.
  assert source.notes['duplicate_rows'] == 5
  assert source.dropped == (
    {'count': 20, 'why': 'data.unique keeps the first of equal samples'},
  )
  np.testing.assert_array_equal(source.inputs[:60], rows[:60])
  np.testing.assert_array_equal(source.labels, [0] * 60 + [1] * 5)


def test_frames_are_not_left_out_one_by_one(data_config):
  with pytest.raises(errors.UserError, match='"data.unique".*a video'):
    sources.load(data_config(name='moving_shapes', unique=True))


def test_normal_labels_choose_for_any_source(data_config):
  config = data_config(protocol='random_rows', normal_labels=('7', '0', '7'))
  assert sources.load(config).normal_labels == (0, 7)


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    (
      {'protocol': 'random_rows', 'normal_labels': ('zero',)},
      'normal_labels.*"zero".*"digits".*known: 0, 1',
    ),
    ({'normal_labels': ('0',)}, 'normal_labels.*fleet.normal_classes'),
    ({'path': 'mine.csv'}, '"data.path" is set.*"digits".*"arrays"'),
    ({'drop_columns': ('a',)}, '"data.drop_columns" is set.*"digits"'),
    (
      {'path': 'mine.csv', 'name': 'mnist'},
      '"data.path" is set.*"mnist".*"arrays" or "image_folder"',
    ),
    ({'image_size': 64}, '"data.image_size" is set.*"digits".*"image_folder"'),
    ({'colour': 'rgb'}, '"data.colour" is set.*"digits".*"image_folder"'),
    (
      {'name': 'arrays', 'path': 'a.csv', 'colour': 'rgb'},
      '"data.colour" is set.*"arrays".*"image_folder"',
    ),
    (
      {'name': 'image_folder', 'path': 'a', 'label_column': 'kind'},
      '"data.label_column" is set.*"image_folder".*"arrays"',
    ),
    (
      {'protocol': 'official', 'normal_labels': ('0',)},
      'normal_labels.*"official" takes fleet.normal_classes',
    ),
    ({'log1p': True}, 'log1p.*"digits".*images'),
  ],
)
def test_fields_that_do_not_fit_are_refused(data_config, fields, message):
  with pytest.raises(errors.UserError, match=message):
    sources.load(data_config(**fields))


def test_identity_depends_on_inputs_and_labels(make_source):
  source = make_source()
  data, label = sources.data_sha256(source), sources.label_sha256(source)
  assert len(data) == len(label) == 64 and data != label
  assert sources.data_sha256(make_source()) == data
  moved = make_source()
  moved.inputs[0, 0] += 1
  assert sources.data_sha256(moved) != data
  assert sources.label_sha256(moved) == label
  other = make_source()
  other.labels[0] = 2
  assert sources.data_sha256(other) != data
  assert sources.label_sha256(other) != label
  masks = np.zeros((60, 2, 2), bool)
  masked = [
    make_source(masks=m, has_mask=masks[:, 0, 0]) for m in (masks, ~masks)
  ]
  assert len({data, *map(sources.data_sha256, masked)}) == 3
  renamed = make_source(label_names=('class', '0', 'class 2'))
  assert sources.label_sha256(renamed) != label


def test_identity_is_the_same_in_another_process(data_config):
  code = (
    'from memae_jax import config; from memae_jax.data import sources;'
    'c = config.resolve({"fleet": {"normal_classes": (0,)}}).data;'
    'print(sources.data_sha256(sources.load(c)))'
  )
  out = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=True
  )
  here = sources.data_sha256(sources.load(data_config()))
  assert out.stdout.strip() == here
