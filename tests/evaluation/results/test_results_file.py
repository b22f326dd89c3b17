"""Results of a run, and the parts that their readers need."""

import json

import pytest

from memae_jax.evaluation.results import results_file
from memae_jax.runtime import errors
from tests import finished


@pytest.fixture
def path(tmp_path):
  finished.write(tmp_path)
  return tmp_path / results_file.NAME


def test_all_parts_read_what_an_evaluation_writes(path):
  results = json.loads(path.read_text())
  for shape in (results_file.WHOLE, results_file.CONFIG, results_file.HISTORY):
    assert results_file.read(path, shape) == results


def test_a_part_asks_for_no_more_than_it_needs(path):
  results = json.loads(path.read_text())
  del results['methods']
  path.write_text(json.dumps(results))
  assert results_file.read(path, results_file.HISTORY) == results
  with pytest.raises(errors.UserError, match=f'methods.*{results_file.MEND}'):
    results_file.read(path)


def test_the_mend_is_that_of_the_reader(path):
  path.write_text('{')
  with pytest.raises(errors.UserError, match=f'{path.name}.*; mend it'):
    results_file.read(path, mend='mend it')
  path.unlink()
  with pytest.raises(FileNotFoundError):
    results_file.read(path)
