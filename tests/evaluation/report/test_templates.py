"""The frame of all pages: what is in it, and what it lets a browser do."""

import base64
import hashlib
import re

import jinja2
import pytest

from memae_jax.evaluation.report import templates

_BODY = """{% extends 'base.html.j2' %}
{% import 'page.html.j2' as page with context %}
{% block title %}{{ name }}{% endblock %}
{% block parts %}
{% call page.part('One') %}{{ name }}{% endcall %}
{% call page.part('Two, folded?', True) %}
{% call page.table(['a', 'b']) %}{{ page.rows([(name, ['1'])]) }}{% endcall %}
{% endcall %}
{% endblock %}
"""


@pytest.fixture(name='written')
def _written(monkeypatch):
  """A page of two parts, named by markup."""
  loader = jinja2.DictLoader({'mine.html.j2': _BODY})
  package = jinja2.PackageLoader
  monkeypatch.setattr(
    jinja2,
    'PackageLoader',
    lambda name, at: loader if name == 'mine' else package(name, at),
  )
  return templates.render('mine.html.j2', 'mine', name='<b>"x"')


def test_parts_are_listed_above_and_fold(written):
  links = re.findall(r'<a href="#([^"]+)">([^<]+)', written)
  assert links == [('part-one', 'One'), ('part-two,-folded?', 'Two, folded?')]
  assert all(f'id="{name}"' in written for name, _ in links)
  assert written.index('<nav') < written.index('<main>')
  assert written.count('<details class="part" open>') == 1
  assert written.count('<details class="part">') == 1


def test_names_are_no_markup(written):
  assert '<b>' not in written and written.count('&lt;b&gt;&#34;x&#34;') == 4


def test_only_the_script_of_the_page_may_run(written):
  (script,) = re.findall(r'<script>(.*?)</script>', written, re.S)
  digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
  assert f"script-src 'sha256-{digest}'" in written
  assert "default-src 'none'" in written
  assert not re.search(r'(src|href)="(?!data:|#)|https?://', written)


def test_a_template_that_is_not_there():
  with pytest.raises(jinja2.TemplateNotFound):
    templates.read('none.html.j2')
