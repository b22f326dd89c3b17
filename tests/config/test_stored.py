"""A stored config is read back as it was, or refused by its name."""

import pytest

from memae_jax.config import stored
from memae_jax.runtime import errors
from tests import helpers


def test_a_config_comes_back(tmp_path):
  config = helpers.digits(**{'fleet.slots': (3, 5), 'data.clip': 2.5})
  (tmp_path / 'config.json').write_text(stored.to_json(config))
  assert stored.load(tmp_path / 'config.json') == config


@pytest.mark.parametrize(
  ('text', 'words'),
  [
    ('', 'is not a readable config'),
    ('[1, 2]', 'not a readable config: it holds no fields'),
    ('[' * 100_000, 'is not a readable config'),
    ('{"train": {"epoch": 3}}', 'is not a config of this project .*epoch'),
    ('\xff', 'is not a readable config'),
  ],
)
def test_what_is_no_config(tmp_path, text, words):
  path = tmp_path / 'config.json'
  path.write_bytes(text.encode('latin-1'))
  with pytest.raises(errors.UserError, match=words) as refused:
    stored.load(path)
  assert str(path) in str(refused.value)


def test_a_folder_without_one(tmp_path):
  with pytest.raises(errors.UserError, match='does not exist; train first'):
    stored.load(tmp_path / 'config.json')
