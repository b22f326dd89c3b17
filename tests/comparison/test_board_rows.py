"""What a folder says of itself, in every state, damaged ones included."""

import json
import os

import pytest

from memae_jax.comparison import board_rows
from memae_jax.runtime import locks
from tests import finished


def _checkpoint(folder, step, family='', **meta):
  place = folder / 'checkpoints' / family / str(step)
  (place / 'state/0/1').mkdir(parents=True)
  (place / 'meta').mkdir()
  (place / 'meta/metadata').write_text(json.dumps(meta))


def _trained(folder, *steps, total=10):
  """A run without results."""
  folder.mkdir(parents=True)
  (folder / 'config.json').write_text('{"name": "digits"}')
  for step in steps:
    _checkpoint(folder, step, steps=total, environment={'device': 'cpu'})
  return folder


def _row(folder):
  (row,) = board_rows.find(folder)
  return row


def _all(root):
  return {str(r.folder.relative_to(root)): r for r in board_rows.find(root)}


def test_new_stopped_and_finished(tmp_path):
  assert _row(_trained(tmp_path / 'new')).state == 'new'
  stopped = _row(_trained(tmp_path / 'stopped', 2, 4))
  assert (stopped.state, stopped.done, stopped.total) == ('stopped', 4, 10)
  assert (stopped.config, stopped.device) == ('digits', 'cpu')
  assert _row(_trained(tmp_path / 'finished', 8, 10)).state == 'finished'
  begun = _trained(tmp_path / 'begun')
  (begun / 'metrics.jsonl').write_text('{"step": 1}\n')
  assert _row(begun).state == 'stopped'


def test_families_are_trained_one_after_another(tmp_path):
  folder = _trained(tmp_path / 'run')
  _checkpoint(folder, 10, lengths={'memae': 10, 'vae': 6}, steps=10)
  _checkpoint(folder, 3, 'vae')
  row = _row(folder)
  assert (row.state, row.done, row.total) == ('stopped', 13, 16)


@pytest.mark.parametrize('lock', ['.lock', '.claim', 'eval/4/.claim'])
def test_running(lock, tmp_path):
  """The last whole line of the log says how far; looking changes nothing."""
  folder = _trained(tmp_path / 'run', 4)
  (folder / 'metrics.jsonl').write_text('{"step": 5}\n{"step": 6}\n{"st')
  with locks.exclusive(folder / lock, 'training'):
    before = (folder / lock).read_bytes()
    row = _row(folder)
    assert (row.state, row.done, row.total) == ('running', 6, 10)
    assert (folder / lock).read_bytes() == before
  assert _row(folder).state == 'stopped'


def test_evaluated(tmp_path):
  results = finished.write(tmp_path / 'run')
  (tmp_path / 'run/report.html').write_text('')
  row = _row(tmp_path / 'run')
  assert (row.state, row.done, row.total) == ('evaluated', 7, 7)
  mean = results['methods']['memae']['auroc']['mean']
  assert row.value['mean'] == f'{mean:.3f}' and row.value['std']
  assert row.metric == 'AUROC of MemAE' and row.device == 'cpu'
  # What `finished` calls a baseline is a network of AE.
  rival = results['baselines']['ae']['auroc']['mean']
  assert (row.rival, row.rival_value) == ('AE', f'{rival:.3f}')
  assert row.seconds == 1.5 and row.pages == ('report.html', 'results.json')


def test_one_network_has_its_interval(tmp_path):
  networks = [finished.replica('memae', 0)]
  finished.write(tmp_path, networks=networks, **{'eval.bootstrap': 20})
  row = _row(tmp_path)
  assert row.value['ci'].startswith('[') and row.rival == ''


def test_results_of_an_older_step(tmp_path):
  """A run that is trained longer is not evaluated any more."""
  finished.write(tmp_path / 'run')
  _checkpoint(tmp_path / 'run', 9, steps=20)
  row = _row(tmp_path / 'run')
  assert (row.state, row.done, row.total) == ('stopped', 9, 20)
  assert row.value['mean'] != '—'


def test_failed_runs_of_a_study(tmp_path):
  folder = _trained(tmp_path / 'study/runs/one', 4)
  events = [
    {'event': 'start'},
    {'event': 'end', 'seconds': 2.5, 'code': 2, 'error': 'it broke'},
  ]
  (folder / 'attempts.jsonl').write_text(
    ''.join(json.dumps(event) + '\n' for event in events)
  )
  metric = {'mean': 0.75, 'std': None, 'ci95': [0.5, 1.0]}
  study = {
    'base': 'digits',
    'metric': 'auroc',
    'best': [
      {'oracle': True, 'metric': {'mean': 1.0}},
      {'oracle': False, 'metric': metric},
    ],
    'runs': [{'state': 'failed', 'error': 'it broke'}, {'state': 'finished'}],
    'wall_seconds': 9.0,
  }
  (tmp_path / 'study/study.json').write_text(json.dumps(study))
  rows = _all(tmp_path)
  one, whole = rows['study/runs/one'], rows['study']
  assert (one.state, one.problem, one.seconds) == ('failed', 'it broke', 2.5)
  assert (whole.state, whole.problem) == ('failed', 'it broke')
  assert (whole.done, whole.total, whole.unit) == (1, 2, 'runs')
  assert (whole.value['mean'], whole.seconds) == ('0.7500', 9.0)
  with locks.exclusive(folder / '.claim', 'working'):
    assert {r.state for r in board_rows.find(tmp_path)} == {'running'}


def test_runs_lie_anywhere_but_in_a_run(tmp_path):
  finished.write(tmp_path / 'a/b/c')
  finished.write(tmp_path / 'a/b/c/nested')
  finished.write(tmp_path / '.hidden/run')
  (tmp_path / 'a/b/c/eval/7/config.json').write_text('{}')
  assert _all(tmp_path).keys() == {'a/b/c', 'a/b/c/nested'}


@pytest.mark.parametrize(
  ('name', 'content', 'said'),
  [
    ('results.json', '{"config": ', 'results.json is no readable results'),
    ('results.json', '[]', 'results.json is no readable results'),
    ('config.json', '{"name": 3}', 'config.json is no readable config'),
    ('study.json', '{"runs": {}}', 'study.json is no readable study'),
    (
      'checkpoints/3/meta/metadata',
      '{"steps": "x"}',
      'metadata is no readable',
    ),
    ('attempts.jsonl', '{"event": 3}\n', 'attempts.jsonl line 1 is not'),
  ],
)
def test_damaged(name, content, said, tmp_path):
  folder = _trained(tmp_path / 'run', 3)
  (folder / name).write_text(content)
  row = _row(tmp_path)
  assert row.state == 'damaged' and said in row.problem
  assert '\n' not in row.problem and str(tmp_path) not in row.problem


def test_checkpoints_without_a_config(tmp_path):
  _checkpoint(tmp_path / 'run', 3)
  row = _row(tmp_path)
  assert row.state == 'damaged' and row.problem.endswith('no config.json')


@pytest.mark.parametrize('name', ['results.json', '.lock', 'metrics.jsonl'])
def test_links_that_lead_out_and_pipes_are_not_read(name, tmp_path):
  finished.write(tmp_path / 'outside')
  secret = tmp_path / 'outside/results.json'
  folder = _trained(tmp_path / 'runs/run', 3)
  (folder / name).symlink_to(secret)
  (tmp_path / 'runs/all').symlink_to(tmp_path / 'outside')
  (row,) = board_rows.find(tmp_path / 'runs')
  assert row.problem == f'{name} is a link out of the folder'
  (folder / name).unlink()
  os.mkfifo(folder / name)
  (row,) = board_rows.find(tmp_path / 'runs')
  assert row.problem == f'{name} is no file'


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
  finished.write(tmp_path / 'run')
  closed = tmp_path / 'closed'
  closed.mkdir()
  scan = os.scandir

  def refused(path):
    if os.fspath(path) == str(closed):
      raise PermissionError(13, 'Permission denied', str(closed))
    return scan(path)

  monkeypatch.setattr(os, 'scandir', refused)
  rows = _all(tmp_path)
  assert rows['run'].state == 'evaluated'
  assert rows['closed'].problem == 'Permission denied'
