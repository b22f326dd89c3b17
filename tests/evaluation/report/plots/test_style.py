"""One look for every figure."""

from memae_jax.evaluation.report.plots import style
from memae_jax.methods import registry


def test_every_name_has_a_colour_a_line_and_a_marker():
  for name in registry.names():
    colour, line, marker = style.of(name)
    assert colour[0] == '#' and line and marker
  assert style.of('random')[0] == style.of('untrained')[0]
  assert style.of('of a plugin') == style.of('of a plugin')


def test_no_text_of_data_is_a_formula():
  figure, axes = style.axes(2, 3)
  assert axes.shape == (2, 3)
  style.titles(axes[0, 0], style.literal('$x_i$ and $y'), 'x', 'y')
  figure.canvas.draw()
  assert axes[0, 0].get_title(loc='left') == r'\$x_i\$ and \$y'
