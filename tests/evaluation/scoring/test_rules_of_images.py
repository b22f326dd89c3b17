"""Every rule for images in one table: networks, PCA and the mean alike."""

import numpy as np
import pytest
import scipy.ndimage
import sklearn.decomposition
import sklearn.metrics

from memae_jax import losses
from memae_jax.data import transforms
from memae_jax.evaluation.metrics import defect_area
from memae_jax.evaluation.report import findings, rule_tables
from memae_jax.evaluation.results import measure
from memae_jax.evaluation.scoring import baselines, collect
from memae_jax.training import experiment, step
from tests import fakes, helpers

RULES = {'mse', 'blur_unit', 'contrast_unit', 'ssim', 'gradient'}
RULES |= {'max_cell', 'mean_cell'}


@pytest.fixture(scope='module')
def scored():
  """Returns an experiment and the scores of its networks and baselines."""
  exp = experiment.build(
    helpers.digits(
      **{
        'fleet.variants': ('memae', 'ae'),
        'fleet.normal_classes': (3,),
        'eval.score': 'blur_unit',
        'eval.baselines': ('pca', 'mean', 'untrained', 'nearest'),
        'eval.pseudo': False,
        'model.memory.similarity': 'cosine',
      }
    )
  )
  weights = step.weights(exp.programs.init())
  networks, _, _ = collect.networks(exp, weights, [0, 0])
  rivals, _ = baselines.run(exp, collect.untrained(exp))
  return exp, networks, rivals


def test_who_has_which_rules(scored):
  exp, networks, rivals = scored
  names = {
    r.fields['variant']: set(r.rules or ()) for r in (*networks, *rivals)
  }
  assert names['memae'] == RULES | {'memory_distance'}
  assert names['ae'] == names['pca'] == names['mean'] == RULES
  assert names['nearest'] == set()
  for replica in (*networks, *rivals):
    assert len(replica.score) == len(exp.splits[0].test)
    if replica.rules:
      np.testing.assert_array_equal(replica.score, replica.rules['blur_unit'])
      # The map of a picture is that of its score.
      mean = replica.rules['mean_cell']
      np.testing.assert_allclose(mean, replica.score, rtol=1e-4)
      assert (replica.rules['max_cell'] > mean).all()


def test_pca_is_scored_as_its_reconstructions_are(scored):
  exp, _, rivals = scored
  (split,) = {id(s): s for s in exp.splits}.values()
  flat = lambda rows: (
    transforms.apply(exp.source.inputs[rows], split.transform)
    .reshape(len(rows), -1)
    .astype(np.float64)
  )
  pca = sklearn.decomposition.PCA(0.95, svd_solver='full').fit(
    flat(split.train)
  )
  x = flat(split.test)
  out = pca.inverse_transform(pca.transform(x))

  def direction(rows):
    images = np.clip((rows + 1) / 2, 0, 1).reshape(-1, 8, 8)
    rows = scipy.ndimage.gaussian_filter(images, 1, axes=(1, 2))
    rows = rows.reshape(len(rows), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)

  expected = ((direction(x) - direction(out)) ** 2).sum(axis=1)
  (found,) = (r for r in rivals if r.fields['variant'] == 'pca')
  np.testing.assert_allclose(
    found.rules['blur_unit'], expected, rtol=2e-3, atol=1e-5
  )
  np.testing.assert_allclose(
    found.rules['mse'], ((x - out) ** 2).mean(axis=1), rtol=1e-3
  )


def test_the_table_has_a_row_for_each_rule(scored):
  exp, networks, rivals = scored
  results = measure.measure(networks, rivals, {}, exp.config.eval)
  assert set(results['rules']) == {'memae', 'ae', 'pca', 'mean', 'untrained'}
  results |= {'score': {'name': exp.rule}, 'config': exp.config.to_dict()}
  rows = dict(rule_tables.rules(results | {'paper': None}))
  assert len(rows) == 8
  headline = results['methods']['memae']['auroc']['mean']
  assert results['rules']['memae']['blur_unit']['auroc']['mean'] == headline
  (distance,) = (v for k, v in rows.items() if k == 'Distance to the memory')
  # MemAE, trained and not.
  assert [cell['mean'] == '—' for cell in distance].count(False) == 2


@pytest.mark.parametrize(
  ('auroc', 'words'),
  [
    (0.5, None),
    (0.96, None),
    (0.99, 'AUROC 0.990.'),
    (0.01, '0.990 with the sign'),
  ],
)
def test_a_statistic_that_is_enough_is_told(auroc, words):
  results = {'baselines': {'brightness': {'auroc': {'mean': auroc}}}}
  lines = findings.separable(results)
  assert len(lines) == (words is not None)
  assert all('Brightness alone' in line and words in line for line in lines)


def test_notes_say_what_was_scored_by_which_rule(scored):
  exp, _, _ = scored
  _, notes = baselines.run(exp, collect.untrained(exp))
  title = losses.find('blur_unit').title
  for name, begins in (('pca', 'reconstruction error of the '), ('mean', '')):
    assert notes[name].startswith(begins)
    assert notes[name].endswith(f'; scored by the rule "{title}"')
  assert notes['pca'].count('reconstruction error of') == 1


def test_the_mean_picture_and_networks_have_maps(tmp_path):
  folder = fakes.pictures(tmp_path, side=16)
  fields = {
    'data.name': 'image_folder',
    'data.path': str(folder),
    'data.protocol': 'given',
    'data.validation_fraction': 0.4,
    'fleet.normal_classes': (),
    'fleet.variants': ('ae',),
    'eval.baselines': ('mean', 'pca', 'local_deviation_3'),
    'eval.score': 'memory_distance',  # The mean is scored by squared errors.
    'eval.defect_area': 0.02,
    'eval.pseudo': False,
  }
  exp = experiment.build(helpers.digits(**fields))
  rivals, _ = baselines.run(exp, [])
  (split,) = exp.splits
  train, test, normals = (
    transforms.apply(exp.source.inputs[rows], split.transform)
    for rows in (split.train, split.test, split.validation)
  )
  of = lambda x: np.mean((x - train.mean(axis=0)) ** 2, axis=-1)
  masks = exp.source.masks[split.test]  # All are known.
  want = sklearn.metrics.roc_auc_score(masks.ravel(), of(test).ravel())
  found = {r.fields['variant']: r for r in rivals}
  assert found['mean'].pixels[0]['pixel_auroc'] == pytest.approx(want, abs=1e-4)
  assert all(0 <= r.pixels[0]['aupro'] <= 1 for r in rivals)
  assert all(set(defect_area.METRICS) <= set(r.pixels[0]) for r in rivals)
  by_area = lambda normals, maps: defect_area.evaluate(
    normals, maps, split.anomalous, dict(enumerate(masks)), 0.02, ''
  )[0]
  want = by_area(of(normals), of(test))
  values = found['mean'].pixels[0]
  assert {k: values[k] for k in want} == pytest.approx(want, rel=1e-4)
  weights = step.weights(exp.programs.init())
  ((network,), _, _) = collect.networks(exp, weights, [0])
  maps = [
    exp.programs.score(weights, [rows], ('maps',)).maps['mse'][0, : len(rows)]
    for rows in (split.validation, split.test)
  ]
  want = by_area(*maps)
  assert {k: network.pixels[0][k] for k in want} == want
  assert network.maps.shape == (8, 16, 16)
  np.testing.assert_allclose(
    network.rules['max_cell'], maps[1].max(axis=(1, 2)), rtol=1e-5
  )
