"""Runs of a study that are left to do, read from the run directories alone."""

import json

import pytest

from memae_jax import config as config_lib
from memae_jax.comparison import attempts
from memae_jax.runtime import errors, locks
from memae_jax.studies import grid, runs
from tests.studies import test_grid


def _points(folder, *slots, **base):
  given = grid.sweep('slots', slots) if slots else [{}]
  return test_grid.points(folder, given, **base)


def _pretend(run, weights=True, finished=False, code=None, error=''):
  """Leaves in a run's folder what training would."""
  runs.prepare(run)
  if weights:
    (run.folder / 'checkpoints/8').mkdir(parents=True, exist_ok=True)
  if finished:
    results = {
      'checkpoint': {'step': 8, 'of_steps': 8},
      'config': run.config.to_dict(),
    }
    (run.folder / 'results.json').write_text(json.dumps(results))
  if code is not None:
    attempts.note(run.folder, event='start', time=0.0)
    attempts.note(
      run.folder, event='end', time=1.0, seconds=2.5, code=code, error=error
    )


def _shape(planned):
  """Slots and state of each run."""
  return [
    (tuple(p.fields.get('model.memory.slots') for p in run.points), run.state)
    for run in planned
  ]


def test_new_points_leave_old_groups_as_they_are(tmp_path):
  points = _points(tmp_path, 3, 5)
  (run,) = runs.plan(points, tmp_path)
  assert _shape([run]) == [((3, 5), 'new')]
  _pretend(run)
  more = _points(tmp_path, 3, 4, 5, 6)
  planned = runs.plan(more, tmp_path)
  assert _shape(planned) == [((3, 5), 'stopped'), ((4, 6), 'new')]
  assert planned[0].folder == run.folder
  _pretend(run, finished=True)
  planned = runs.plan(more, tmp_path)
  assert _shape(planned) == [((3, 5), 'finished'), ((4, 6), 'new')]
  fewer = runs.plan(_points(tmp_path, 5), tmp_path)
  assert _shape(fewer) == [((5,), 'finished')]


def test_a_run_without_weights_is_only_a_plan(tmp_path):
  (run,) = runs.plan(_points(tmp_path, 3, 5), tmp_path)
  _pretend(run, weights=False, code=2, error='the data are missing')
  assert _shape(runs.plan(_points(tmp_path, 3, 5), tmp_path)) == [
    ((3, 5), 'failed')
  ]
  assert _shape(runs.plan(_points(tmp_path, 3, 5, 6), tmp_path)) == [
    ((3, 5, 6), 'new')
  ]


def test_a_claimed_run_keeps_its_points(tmp_path):
  (run,) = runs.plan(_points(tmp_path, 3, 5), tmp_path)
  runs.prepare(run)
  with locks.exclusive(run.folder / '.claim', 'working'):
    planned = runs.plan(_points(tmp_path, 3, 5, 6), tmp_path)
    assert _shape(planned) == [((3, 5), 'new'), ((6,), 'new')]


def test_other_evaluation_is_not_trained_again(tmp_path):
  (run,) = runs.plan(_points(tmp_path, 3), tmp_path)
  _pretend(run, finished=True)
  points = _points(tmp_path, 3, **{'eval.bootstrap': 7})
  (again,) = runs.plan(points, tmp_path)
  assert again.folder == run.folder and again.state == 'stopped'
  assert again.config.eval.bootstrap == 7
  (other,) = runs.plan(_points(tmp_path, 3, **{'train.epochs': 9.0}), tmp_path)
  assert other.folder != run.folder and other.state == 'new'


def test_a_group_that_diverges_goes_on_in_halves(tmp_path):
  points = _points(tmp_path, 3, 4, 5)
  (run,) = runs.plan(points, tmp_path)
  _pretend(run, code=3, error='diverged')
  planned = runs.plan(points, tmp_path)
  assert _shape(planned) == [((3,), 'new'), ((4, 5), 'new')]
  _pretend(planned[1], code=3, error='diverged')
  planned = runs.plan(points, tmp_path)
  assert _shape(planned) == [((n,), 'new') for n in (3, 4, 5)]
  assert [run.share for run in planned] == [0, 0, 0]  # Of the job that had it.
  _pretend(planned[0], finished=True, code=0)
  _pretend(planned[1], finished=True, code=0)
  _pretend(planned[2], weights=False, code=3, error='diverged')
  planned = runs.plan(_points(tmp_path, 3, 4, 5, 6), tmp_path)
  assert _shape(planned) == [
    ((3,), 'finished'),
    ((4,), 'finished'),
    ((5,), 'failed'),  # It spoils no new point.
    ((6,), 'new'),
  ]
  assert planned[2].error == 'diverged'


@pytest.mark.parametrize('weights', [False, True])
@pytest.mark.parametrize(
  'slots, expected',
  [
    ((3,), {(3,): 'finished'}),
    ((3, 6), {(3,): 'finished', (6,): 'new'}),
    ((4, 5), {(4,): 'failed', (5,): 'finished'}),
    ((3, 5), {(3,): 'finished', (5,): 'finished'}),
    ((4,), {(4,): 'failed'}),
    ((4, 6), {(4,): 'failed', (6,): 'new'}),
    ((6,), {(6,): 'new'}),
  ],
)
def test_points_taken_out_after_one_diverged(
  tmp_path, weights, slots, expected
):
  points = _points(tmp_path, 3, 4, 5)
  for _ in range(3):  # The fleet; 3 and the pair 4, 5; each of the pair.
    for run in runs.plan(points, tmp_path):
      if any(p.fields['model.memory.slots'] == 4 for p in run.points):
        _pretend(run, weights=weights, code=3, error='diverged')
      elif run.state != 'finished':
        _pretend(run, finished=True, code=0)
  assert dict(_shape(runs.plan(_points(tmp_path, *slots), tmp_path))) == (
    expected
  )


@pytest.mark.parametrize('slots', [(3,), (3, 6), (3, 5)])
def test_points_taken_out_before_the_halves_are_trained(tmp_path, slots):
  (fleet,) = runs.plan(_points(tmp_path, 3, 4, 5), tmp_path)
  _pretend(fleet, code=3, error='diverged')
  (run,) = runs.plan(_points(tmp_path, *slots), tmp_path)
  assert _shape([run]) == [(slots, 'new')] and run.folder != fleet.folder


def test_most_replicas(tmp_path):
  points = _points(tmp_path, 3, 4, 5, 6)  # Of two classes each.
  sizes = lambda most: [
    len(grid.replicas(r.config)) for r in runs.plan(points, tmp_path, most)
  ]
  assert sizes(0) == [8] and sizes(8) == [8]
  assert sizes(7) == [4, 4] and sizes(3) == [2, 2, 2, 2] == sizes(1)


def test_costs_know_what_they_do_not_know(tmp_path):
  (run,) = runs.plan(_points(tmp_path, 3), tmp_path)
  assert attempts.costs(run.folder) == (0, 0, 0)
  _pretend(run, code=0)
  _pretend(run, code=0)
  attempts.note(run.folder, event='start', time=0.0)
  assert attempts.costs(run.folder) == (5.0, 3, 1)


def test_a_damaged_results_file_is_named(tmp_path):
  (run,) = runs.plan(_points(tmp_path, 3), tmp_path)
  _pretend(run)
  (run.folder / 'results.json').write_text('{')
  with pytest.raises(errors.UserError, match='results.json.*remove it'):
    runs.plan(_points(tmp_path, 3), tmp_path)


def test_results_of_an_earlier_step_are_not_finished(tmp_path):
  (run,) = runs.plan(_points(tmp_path, 3), tmp_path)
  _pretend(run)
  results = {
    'checkpoint': {'step': 4, 'of_steps': 8},
    'config': json.loads(config_lib.to_json(run.config)),
  }
  (run.folder / 'results.json').write_text(json.dumps(results))
  assert _shape(runs.plan(_points(tmp_path, 3), tmp_path)) == [
    ((3,), 'stopped')
  ]


@pytest.mark.parametrize(
  'text,line',
  [
    ('a\nerror: b\nc\n', 'b'),
    ('a\nValueError: b\n\n', 'ValueError: b'),
    ('', 'no output'),
  ],
)
def test_the_last_error_line(text, line):
  assert runs.error_line(text) == line
