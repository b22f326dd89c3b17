from memae_jax.evaluation.report.figure import Figure
from memae_jax.evaluation.report.plots import foretold
from tests.evaluation.media import test_foretold


def test_a_figure_shows_picture_prediction_errors_and_kernels():
  found = test_foretold.alone()
  drawn = foretold.draw(found, 1)
  titles = [ax.get_title(loc='left') for ax in drawn.axes]
  assert titles == [
    'the picture',
    'foretold, block by block',
    'its deviation',
    'error, in deviations',
    'kernel of rows',
    'kernel of columns',
    'loudest blocks',
    'pixels by their error',
  ]
  loud = drawn.axes[6].patches[-1]
  assert loud.get_width() == 9  # The loudest stands at the top.
  assert Figure('a', '', '', '', drawn, vector=False).data.startswith(
    b'\x89PNG'
  )


def test_a_picture_without_any_error_is_drawn():
  found = test_foretold.alone()
  names = 'picture', 'mean', 'sigma', 'z', 'hidden', 'rows', 'columns'
  blank = {name: getattr(found.says, name) * 0 for name in names}
  drawn = foretold.draw(found._replace(says=found.says._replace(**blank)), 0)
  assert Figure('a', '', '', '', drawn, vector=False).data
