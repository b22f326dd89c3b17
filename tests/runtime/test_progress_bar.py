"""Progress in lines, where there is no terminal."""

from memae_jax.runtime import progress_bar


def test_progress_knows_no_speed_before_the_second_report(monkeypatch):
  """What came before the first was compiled, too."""
  clock = iter([0.0, 60.0, 80.0, 190.0])
  monkeypatch.setattr(progress_bar.time, 'time', lambda: next(clock))
  monkeypatch.setattr(progress_bar.sys.stderr, 'isatty', lambda: False)
  said = []
  monkeypatch.setattr(
    progress_bar._LOG, 'info', lambda text, *args: said.append(text % args)
  )
  progress = progress_bar.Progress('train', 100)
  progress.at(10, 'loss 2')
  progress.at(30, 'loss 1')
  progress.at(40, 'loss 0')
  assert said == [
    'train 10/100  loss 2',
    'train 30/100  1 per second  0:01:10 left  loss 1',
    'train 40/100  4.3 s each  0:04:20 left  loss 0',
  ]


def test_a_progress_bar_comes_without_tqdm():
  assert 'tqdm' not in vars(progress_bar)
