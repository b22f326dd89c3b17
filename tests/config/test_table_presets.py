"""Settings of tables that several configs share."""

from memae_jax import config as config_lib
from memae_jax.config import presets, table_presets
from memae_jax.methods import registry


def test_every_method_is_registered_once():
  assert set(table_presets.METHODS) <= set(registry.names())
  assert len(set(table_presets.METHODS)) == len(table_presets.METHODS)


def test_the_tutorial_replaces_network_scaling_and_rate():
  config = config_lib.default()
  config.data.name, config.data.protocol = 'creditcard', 'given'
  presets.table_network(config)
  presets.standard_table(config)
  table_presets.fraud_tutorial(config)
  resolved = config_lib.resolve(config)
  model, data, train = resolved.model, resolved.data, resolved.train
  assert model.widths == (14,) and model.decoder_widths == (7,)
  assert (model.code, model.code_activation) == (7, 'relu')
  assert (model.activation, model.output_activation) == ('tanh', 'relu')
  assert data.clip == 0 and not data.log1p and len(data.unscaled_columns) == 28
  assert (train.batch_size, train.learning_rate) == (128, 1e-3)
  # A mean over 14 units times this is a sum times 1e-7.
  assert train.l1_of == 'first_layer' and train.code_l1 == 14 * 1e-7
