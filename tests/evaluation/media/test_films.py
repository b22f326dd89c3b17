import json

import ml_collections
import numpy as np
import pytest

from memae_jax.data import types
from memae_jax.evaluation.media import films as films_lib
from tests import helpers

pytestmark = pytest.mark.slow


def test_a_film_of_the_test_video_that_was_asked_for(run):
  av = pytest.importorskip('av', reason='PyAV reads the film')
  made = list((run / 'eval' / '1' / 'films').iterdir())
  assert [film.name for film in made] == ['test_02.mp4']
  with av.open(str(made[0])) as film:
    stream = film.streams.video[0]
    assert (stream.codec_context.name, stream.average_rate) == ('h264', 10)
    assert sum(1 for _ in film.decode(video=0)) == 80 - 15


def test_results_name_videos_and_rules(run):
  results = json.loads((run / 'results.json').read_text())
  assert results['videos']['scored_frames'] == 6 * 65
  assert results['videos']['dropped_frames'] == 6 * 15
  assert set(results['rules']) == {'memae', 'ae'}
  rules = results['rules']['memae']
  metrics = results['methods']['memae']
  assert rules['mse']['auroc'] == metrics['auroc']
  assert {'rbdc', 'tbdc', 'auroc_macro', 'eer_normalised'} <= set(metrics)
  assert 0 <= metrics['auroc_pixel_criterion']['mean'] <= 1
  assert metrics['auroc_dual_pixel']['n'] == 1
  assert len(results['replicas'][0]['videos']) == 6
  assert results['score']['frame'].endswith('frame 8, from 0')
  page = (run / 'report.html').read_text()
  assert 'What if the score were another?' in page and 'test_05' in page
  assert 'The right place in the picture' in page


def test_a_film_of_no_test_video(run):
  code, _, err = helpers.run(
    '--mode=eval', f'--workdir={run}', '--config.eval.films=("test_2",)'
  )
  assert code == 2 and 'did you mean "test_02"' in err


@pytest.mark.parametrize(
  'footage,wanted,rate,at',
  [
    (types.Footage(), 0, None, None),
    (types.Footage(), 20, 20, [0.4, 0.45]),
    (types.Footage(25.0), 20, 25, [0.32, 0.36]),
    (types.Footage(25.0, np.arange(99) ** 2), 0, 25, [64, 81]),
  ],
)
def test_the_rate_of_a_folder_of_frames(footage, wanted, rate, at):
  config = ml_collections.ConfigDict({'frame_rate': float(wanted)})
  filmed = films_lib.with_rate(footage, config)
  assert filmed.rate == rate
  assert at == (None if at is None else filmed.at(np.array([8, 9])).tolist())
  assert at is not None or filmed.at(np.array([8, 9])) is None
