"""Errors that would end an evaluation are raised before the training."""

import types

import jinja2
import matplotlib
import pytest

from memae_jax.evaluation import command, whole_run
from memae_jax.evaluation.media import films
from memae_jax.evaluation.report import templates
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop
from tests import helpers


@pytest.fixture
def exp():
  return types.SimpleNamespace(
    source=types.SimpleNamespace(videos=None),
    splits=[None],
    config=helpers.digits(),
  )


@pytest.fixture(autouse=True)
def no_films(monkeypatch):
  monkeypatch.setattr(films, 'select_videos', lambda exp: [])


def test_all_is_well(exp, tmp_path):
  command.check(exp, tmp_path / 'run')
  assert not list(tmp_path.iterdir())


def test_settings_that_cannot_draw(exp, tmp_path, monkeypatch):
  monkeypatch.setenv('PATH', '')  # Without LaTeX.
  with matplotlib.rc_context({'text.usetex': True}):
    with pytest.raises(errors.UserError, match='no report can be drawn'):
      command.check(exp, tmp_path)


def test_a_page_that_is_not_installed(exp, tmp_path, monkeypatch):
  def missing(_):
    raise jinja2.TemplateNotFound('report.html.j2')

  monkeypatch.setattr(templates, 'read', missing)
  with pytest.raises(errors.UserError, match='report.html.j2.*mend'):
    command.check(exp, tmp_path)


@pytest.mark.parametrize('name', ['a' * 252, 'é' * 130])
def test_a_film_whose_name_is_too_long(exp, tmp_path, monkeypatch, name):
  monkeypatch.setattr(films, 'select_videos', lambda exp: [name])
  with pytest.raises(errors.UserError, match='too long; choose a shorter'):
    command.check(exp, tmp_path)


@pytest.mark.parametrize('name', ['a' * 251, 'latin\udce9', 'a [b]'])
def test_films_that_can_be_named(exp, tmp_path, monkeypatch, name):
  monkeypatch.setattr(films, 'select_videos', lambda exp: [name])
  command.check(exp, tmp_path)


def test_it_comes_before_training(tmp_path, monkeypatch):
  def no_film(exp):
    raise errors.UserError('no such video')

  trained = []
  monkeypatch.setattr(films, 'select_videos', no_film)
  monkeypatch.setattr(loop, 'train', lambda *_: trained.append(1))
  monkeypatch.setattr(experiment, 'build', lambda config: None)
  with pytest.raises(errors.UserError, match='no such video'):
    whole_run.train(helpers.digits(), tmp_path)
  assert not trained
