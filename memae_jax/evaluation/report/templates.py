"""Templates of pages: each is one file that stands alone.

All pages share `base.html.j2`, `page.html.j2`, and one style and script, which
are written into them. Pages ask for no other file, and their policy lets no
browser load any, or run another script. Without the script they say the same;
it sorts tables and opens parts.
"""

import base64
import hashlib
import importlib.resources
from typing import Any

import jinja2
import markupsafe

_SHARED = 'memae_jax.evaluation.report'


def read(name: str, package: str = _SHARED) -> jinja2.Template:
  """Reads the template of a page.

  Args:
    name: file name of the template.
    package: that it lies in, if not in that of the shared ones.
  """
  environment = jinja2.Environment(
    loader=jinja2.ChoiceLoader(
      [jinja2.PackageLoader(room, '') for room in {package, _SHARED}]
    ),
    extensions=['jinja2.ext.do'],
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
  )
  return environment.get_template(name)


def render(name: str, package: str = _SHARED, /, **values: Any) -> str:
  """Fills the template of a page.

  Args:
    name, package: see `read`.
    **values: that the template names.
  """
  place = importlib.resources.files(_SHARED) / 'page.js'
  script = place.read_text(encoding='utf-8')
  digest = hashlib.sha256(script.encode()).digest()
  return read(name, package).render(
    values,
    contents=[],
    script=markupsafe.Markup(script),
    script_hash=base64.b64encode(digest).decode(),
  )
