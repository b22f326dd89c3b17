"""Words on what a figure shows, for those who do not see it."""

from collections.abc import Iterable

import matplotlib.axes
import matplotlib.figure
import matplotlib.ticker

_MOST = 12  # Names of a list.


def of(figure: matplotlib.figure.Figure) -> str:
  """Says what is seen: pictures by rows and columns, charts by their axes."""
  pictures = [ax for ax in figure.axes if ax.images and ax.get_label() == '']
  charts = [
    ax
    for ax in figure.axes
    if ax not in pictures and ax.get_label() != '<colorbar>'
  ]
  parts = [_pictures(pictures)] if pictures else []
  parts += dict.fromkeys(filter(None, map(_chart, charts)))
  return ' '.join(part + '.' for part in parts)


def _pictures(axes: list[matplotlib.axes.Axes]) -> str:
  out = f'{len(axes)} picture{"" if len(axes) == 1 else "s"}'
  rows = _listed(ax.get_ylabel() for ax in axes)
  columns = _listed(map(_title, axes))
  out += f', in rows: {rows}' if rows else ''
  return out + (f'; above them: {columns}' if columns else '')


def _chart(ax: matplotlib.axes.Axes) -> str:
  """Names title, axes, curves and rows of a chart; '' where it has none."""
  x, y, title = ax.get_xlabel(), ax.get_ylabel(), _title(ax)
  out = [f'Chart “{title}”' if title else 'Chart']
  if x or y:
    out.append(f'{y} against {x}' if x and y else x or y)
  curves = _listed(ax.get_legend_handles_labels()[1])
  out += [f'showing {curves}'] if curves else []
  for axis, side in ((ax.yaxis, 'labelleft'), (ax.xaxis, 'labelbottom')):
    is_named = isinstance(
      axis.get_major_locator(), matplotlib.ticker.FixedLocator
    )
    if is_named and axis.get_tick_params().get(side, True):
      names = _listed(label.get_text() for label in axis.get_majorticklabels())
      out += [f'for {names}'] if names else []
  return ', '.join(out) if len(out) > 1 or title else ''


def _title(ax: matplotlib.axes.Axes) -> str:
  return ' '.join((ax.get_title('left') or ax.get_title()).split())


def _listed(names: Iterable[str]) -> str:
  """Joins names without those that come again; a long list is cut."""
  words = (' '.join(name.replace('-\n', '').split()) for name in names)
  shown = [name for name in dict.fromkeys(words) if name]
  more = [f'and {len(shown) - _MOST} more'] if len(shown) > _MOST else []
  return ', '.join([*shown[:_MOST], *more])
