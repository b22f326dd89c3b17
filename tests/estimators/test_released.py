"""Fleets of the package: their names, scores and files, also damaged ones."""

import hashlib
import json
import shutil

import numpy as np
import pytest

import memae_jax
from memae_jax import config as config_lib
from memae_jax.estimators import released
from memae_jax.runtime import safetensors
from memae_jax.training import experiment

_FLEETS = sorted({name.partition('/')[0] for name in memae_jax.released()})


@pytest.fixture(scope='module')
def digits():
  """The experiment that the fleet of digits is of."""
  facts = released.facts('digits', released.place(None))
  return experiment.build(config_lib.resolve(facts['run']['config']))


@pytest.fixture
def copy(tmp_path):
  """A copy of the fleet of digits that a test may damage; its folder."""
  shutil.copytree(released.place(None) / 'digits', tmp_path / 'digits')
  return tmp_path / 'digits'


def test_names():
  assert 'digits' in _FLEETS
  names = memae_jax.released()
  assert names[:3] == ['digits/0/memae', 'digits/0/bank', 'digits/1/memae']
  assert len(set(names)) == len(names)


def test_without_a_method_it_is_the_first_one():
  found = memae_jax.load('digits/3')
  assert type(found) is memae_jax.MemAE
  assert type(memae_jax.load('digits/3/bank')) is memae_jax.Bank


@pytest.mark.parametrize(
  'name,words',
  [
    ('digitz/3', r'no released fleet "digitz" \(did you mean "digits"\?\)'),
    ('nothing', r'no released fleet "nothing" \(known: digits'),
    ('digits', r'"digits" has no class "" \(known: 0, 1'),
    ('digits/11', r'no class "11" \(did you mean "1"\?\)'),
    ('digits/3/vae', r'no method "vae" \(known: .*memae'),
    (3, 'name is 3; give text'),
    ('../weights/digits/3', r'no released fleet "\.\."'),
  ],
)
def test_names_that_are_not_there(name, words):
  with pytest.raises(ValueError, match=words) as caught:
    memae_jax.load(name)
  assert '\n' not in str(caught.value)


def test_a_folder_without_fleets(tmp_path):
  assert memae_jax.released(tmp_path) == []
  with pytest.raises(ValueError, match='no released fleet "digits" in'):
    memae_jax.load('digits/3', tmp_path)
  with pytest.raises(ValueError, match='no released fleet'):
    memae_jax.card('digits', tmp_path)


@pytest.mark.parametrize('method', ['memae', 'bank'])
def test_scores_are_those_of_the_run(digits, method):
  """The file holds those of its validation normals, as the run had them."""
  found = memae_jax.load(f'digits/3/{method}')
  exp, index = digits.find(f'{method}/normal_class=3')
  images = exp.source.inputs[exp.splits[index].validation]
  np.testing.assert_allclose(
    found.anomaly_score(images), found.validation_scores_, rtol=1e-5
  )


def test_what_an_estimator_can_do(digits, tmp_path):
  found, images = memae_jax.load('digits/3'), digits.source.inputs[:20]
  is_three = digits.source.labels[:20] == 3
  score = found.anomaly_score(images)
  assert score[is_three].mean() < score[~is_three].mean()
  assert set(found.predict(images)) <= {-1, 1}
  least = 1 / (len(found.validation_scores_) + 1)
  assert found.p_value(images).min() >= least - 1e-9
  assert found.flag(images, false_alarm=0.1)[~is_three].mean() > 0.5
  reasons = found.explain(images[:2])
  assert reasons.slots.shape == (2, 3) and reasons.samples is None
  found.save(tmp_path / 'run')
  again = memae_jax.MemAE.load(tmp_path / 'run')
  np.testing.assert_array_equal(again.anomaly_score(images), score)


def test_cards():
  for name in _FLEETS:
    assert memae_jax.card(name).startswith(f'# Released fleet `{name}`\n')


def _rewritten(folder, change):
  """Changes arrays and texts of a fleet; the card has the hash of the new."""
  path = folder / released.WEIGHTS
  arrays, texts = safetensors.read(path.read_bytes())
  change(arrays, texts)
  content = safetensors.written(arrays, texts)
  path.write_bytes(content)
  card = json.loads((folder / released.FACTS).read_text())
  card['weights']['sha256'] = hashlib.sha256(content).hexdigest()
  (folder / released.FACTS).write_text(json.dumps(card))


def _nan(arrays, texts):
  slots = arrays['3/memae/params/bank/slots'].copy()
  slots[1, 2] = np.nan
  arrays['3/memae/params/bank/slots'] = slots


def _narrow(arrays, texts):
  arrays['3/memae/params/bank/slots'] = np.zeros((50, 3), np.float32)


def _double(arrays, texts):
  slots = arrays['3/memae/params/bank/slots']
  arrays['3/memae/params/bank/slots'] = slots.astype(np.float64)


def _missing(arrays, texts):
  del arrays['3/memae/params/bank/slots']


def _further(arrays, texts):
  arrays['3/memae/params/new'] = np.zeros(1, np.float32)


def _no_text(arrays, texts):
  del texts['3/memae']


def _no_normals(arrays, texts):
  del arrays['3/memae/normal']


def _other_version(arrays, texts):
  told = json.loads(texts['3/memae'])
  told['config']['model']['of_later'] = 1
  texts['3/memae'] = json.dumps(told)


def _no_inputs(arrays, texts):
  told = json.loads(texts['3/memae'])
  told['meta']['inputs'] = {}
  texts['3/memae'] = json.dumps(told)


@pytest.mark.parametrize(
  'change,words',
  [
    (_nan, '"3/memae/params/bank/slots" has a number that is not finite'),
    (_narrow, r'bank/slots" is float32 of shape \(50, 3\), not float32 of'),
    (_double, 'is float64 of shape'),
    (_missing, '"params/bank/slots" is missing'),
    (_further, '"params/new" is missing, or of no use'),
    (_no_text, 'no readable file of weights'),
    (_no_normals, 'no readable file of weights'),
    (_other_version, 'this version cannot build "3/memae" .*of_later'),
    (_no_inputs, 'no readable file of weights'),
  ],
)
def test_weights_that_are_refused(copy, change, words):
  _rewritten(copy, change)
  with pytest.raises(ValueError, match=words) as caught:
    memae_jax.load('digits/3', copy.parent)
  assert '\n' not in str(caught.value)
  assert 'install memae_jax again' in str(caught.value)


def test_bytes_that_are_refused(copy):
  path = copy / released.WEIGHTS
  content = path.read_bytes()
  flipped = bytearray(content)
  flipped[-1] ^= 1
  for damaged in (content[:-1], content[:100], b'', bytes(flipped)):
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match='its sha256 is not the one'):
      memae_jax.load('digits/3', copy.parent)
  path.unlink()
  with pytest.raises(ValueError, match='weights.safetensors does not exist'):
    memae_jax.load('digits/3', copy.parent)


@pytest.mark.parametrize(
  'text,words',
  [
    ('{', 'card.json is no readable card'),
    ('{}', 'card.json is no readable card'),
    (None, 'has format 99, this memae_jax reads 1'),
  ],
)
def test_cards_that_are_refused(copy, text, words):
  path = copy / released.FACTS
  card = json.loads(path.read_text())
  path.write_text(json.dumps(card | {'format': 99}) if text is None else text)
  with pytest.raises(ValueError, match=words):
    memae_jax.load('digits/3', copy.parent)


def test_a_folder_is_replaced_as_a_whole(tmp_path):
  released.write(tmp_path / 'a', {'one': b'1', 'two': b'2'})
  released.write(tmp_path / 'a', {'one': b'3'})
  assert [path.name for path in (tmp_path / 'a').iterdir()] == ['one']
  assert (tmp_path / 'a' / 'one').read_bytes() == b'3'
  with pytest.raises(TypeError):
    released.write(tmp_path / 'a', {'one': None})
  assert (tmp_path / 'a' / 'one').read_bytes() == b'3'
  assert [path.name for path in tmp_path.iterdir()] == ['a']
