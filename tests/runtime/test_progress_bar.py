"""Progress in lines, where there is no terminal."""

import types

import pytest

from memae_jax.runtime import progress_bar


def test_progress_knows_no_speed_before_the_second_report(monkeypatch, caplog):
  """What came before the first was compiled, too."""
  clock = iter([0.0, 60.0, 80.0, 190.0])
  now = types.SimpleNamespace(time=lambda: next(clock))
  monkeypatch.setattr(progress_bar, 'time', now)
  monkeypatch.setattr(progress_bar.sys.stderr, 'isatty', lambda: False)
  caplog.set_level('INFO', 'memae_jax')
  progress = progress_bar.Progress('train', 100)
  progress.at(10, 'loss 2')
  progress.at(30, 'loss 1')
  progress.at(40, 'loss 0')
  assert caplog.messages == [
    'train 10/100  loss 2',
    'train 30/100  1 per second  0:01:10 left  loss 1',
    'train 40/100  4.3 s each  0:04:20 left  loss 0',
  ]


def test_a_progress_bar_comes_without_tqdm():
  assert 'tqdm' not in vars(progress_bar)


@pytest.mark.parametrize('show', [True, False])
def test_bars_of_a_block_are_shown_or_left_out(show, capsys, caplog):
  with caplog.at_level('INFO'), progress_bar.shown(show):
    bar = progress_bar.Progress('train', 3)
    bar.at(3, 'done')
    bar.close()
  assert ('done' in capsys.readouterr().err) == show
  assert not caplog.text  # Neither has lines.
