"""A figure of a page, with its title and caption."""

import base64
import dataclasses
import functools
import io

import matplotlib
import matplotlib.figure

from memae_jax.evaluation.report import alt_text


def check() -> None:
  """Draws a small figure, so that wrong fonts or settings raise their error."""
  figure = matplotlib.figure.Figure((1, 1))
  figure.text(0, 0, 'a 1')
  for vector in (True, False):
    _ = Figure('check', '', '', '', figure, vector).data


@dataclasses.dataclass(frozen=True)
class Figure:
  """A figure with its title and caption.

  Attributes:
    name: of its file, without suffix.
    section: part of the page that it belongs to.
    title: heading above it.
    caption: text below it.
    figure: as Matplotlib draws it.
    vector: whether it is stored as SVG, else as PNG.
  """

  name: str
  section: str
  title: str
  caption: str
  figure: matplotlib.figure.Figure
  vector: bool = True

  @functools.cached_property
  def data(self) -> bytes:
    """Content of the file; drawn once, and the same bytes every time."""
    stream = io.BytesIO()
    metadata = {'Date': None} if self.vector else {'Software': None}
    with matplotlib.rc_context({'svg.hashsalt': self.name}):
      self.figure.savefig(
        stream, format=self.suffix, dpi=150, metadata=metadata
      )
    return stream.getvalue()

  @property
  def alt(self) -> str:
    """Words on what is seen, for those who do not see it."""
    return f'{self.title} {alt_text.of(self.figure)}'.strip()

  @property
  def suffix(self) -> str:
    """File name extension, "svg" or "png"."""
    return 'svg' if self.vector else 'png'

  @property
  def uri(self) -> str:
    """Data URI that holds the file, for a page that stands alone."""
    kind = 'svg+xml' if self.vector else 'png'
    return f'data:image/{kind};base64,{base64.b64encode(self.data).decode()}'
