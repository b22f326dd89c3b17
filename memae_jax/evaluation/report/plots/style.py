"""One look for every figure.

Figures use Matplotlib's object interface only: no pyplot, no global state. The
colours are those of Okabe and Ito, which colour-blind readers can tell apart. A
variant has the same colour, line and marker in every figure, and vermilion
always means anomalous.
"""

import matplotlib.figure

from memae_jax.methods import registry

WIDTH = 9.6  # Inches; the report shows figures about 1,000 pixels wide.
NORMAL, ANOMALOUS, INK, MUTED = '#56748f', '#d55e00', '#222222', '#6b6b6b'
OUTLINE = '#00e5ff'  # Colour of masks' outlines; rare in photographs.
FLAGGED = '#7CFC00'  # Of outlines of what is above a threshold, on maps.
MARGIN = 0.05  # Between curves and frame, as a share of the axis.
_STYLES = {  # Colour, line and marker of baselines.
  'random': ('#999999', ':', 'x'),
  'untrained': ('#999999', '-.', 'x'),
  'frame_difference': ('#444444', '-.', 'x'),
  'frame_position': ('#444444', '--', '+'),
  'no_bank': ('#666666', '-.', '+'),
  # One-liners: those of neighbours, and those of one statistic.
  **dict.fromkeys(('nearest', 'k_means', 'lof'), ('#444444', '-.', 'x')),
  **dict.fromkeys(
    ('brightness', 'contrast', 'contrast_mean'), ('#999999', ':', 'x')
  ),
  **dict.fromkeys(
    ('local_deviation_3', 'local_deviation_7'), ('#999999', '--', 'x')
  ),
}
_SPARE = ('#aa4499', '#117733', '#999933', '#882255')


def of(name: str) -> tuple[str, str, str]:
  """Returns colour, line and marker of a variant or baseline."""
  spare = _SPARE[sum(map(ord, name)) % len(_SPARE)]
  method = registry.get(name)
  return (method and method.style) or _STYLES.get(name, (spare, '-', 'D'))


def axes(rows=1, columns=1, height=2.6, **kwargs):
  """Returns a figure and its [rows, columns] axes in the common look.

  Args:
    rows: of axes.
    columns: of axes.
    height: of the figure in inches.
    **kwargs: for Matplotlib's `subplots`.
  """
  figure = matplotlib.figure.Figure((WIDTH, height), layout='constrained')
  grid = figure.subplots(rows, columns, squeeze=False, **kwargs)
  for ax in grid.flat:
    ax.spines[['top', 'right']].set_visible(False)
    ax.spines[['left', 'bottom']].set_color('#b8b8b8')
    ax.tick_params(labelsize=8.5, color='#b8b8b8', labelcolor=INK)
    ax.grid(True, color='#ececec', linewidth=0.8)
    ax.set_axisbelow(True)
  return figure, grid


def literal(text: str) -> str:
  """Escapes text that comes from data, so that no "$" starts a formula."""
  return text.replace('$', r'\$')


def titles(ax, title='', x='', y=''):
  """Sets the title and the names of the axes."""
  ax.set_title(title, fontsize=9.5, loc='left', color=INK, weight='bold')
  ax.set_xlabel(x, fontsize=9, color=MUTED)
  ax.set_ylabel(y, fontsize=9, color=MUTED)


def legend(owner, **kwargs):
  """Adds a legend to axes, or to a figure."""
  owner.legend(fontsize=8.5, frameon=False, labelcolor=INK, **kwargs)
