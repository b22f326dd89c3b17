"""A figure of a page, with its words."""

import base64
import dataclasses
import functools
import io

import matplotlib
import matplotlib.figure


def check() -> None:
  """Raises whatever drawing a figure would raise: of fonts, of settings."""
  figure = matplotlib.figure.Figure((1, 1))
  figure.text(0, 0, 'a 1')
  for vector in (True, False):
    _ = Figure('check', '', '', '', figure, vector).data


@dataclasses.dataclass(frozen=True)
class Figure:
  """A figure with its words. `vector`: stored as SVG, else as PNG."""

  name: str
  section: str
  title: str
  caption: str
  figure: matplotlib.figure.Figure
  vector: bool = True

  @functools.cached_property
  def data(self) -> bytes:
    """The file; drawn once, and the same bytes every time."""
    stream = io.BytesIO()
    metadata = {'Date': None} if self.vector else {'Software': None}
    with matplotlib.rc_context({'svg.hashsalt': self.name}):
      self.figure.savefig(
        stream, format=self.suffix, dpi=150, metadata=metadata
      )
    return stream.getvalue()

  @property
  def suffix(self) -> str:
    """Of the file."""
    return 'svg' if self.vector else 'png'

  @property
  def uri(self) -> str:
    """An address that holds the file, for a page that stands alone."""
    kind = 'svg+xml' if self.vector else 'png'
    return f'data:image/{kind};base64,{base64.b64encode(self.data).decode()}'
