"""Settings of tables that several files of `configs/` share."""

from memae_jax.config import presets

# Every method that tables are compared by.
METHODS = (
  *('memae', 'nonspar', 'ae', 'vae', 'bank', 'dagmm', 'dsebm_e', 'dsebm_r'),
  *('dcn', 'deep_svdd'),
)
_UNITS = 14  # Of the first layer of the tutorials of card fraud.


def own_table(config: presets.Config) -> None:
  """Sets the standard recipe of a table that somebody brings.

  Args:
    config: to change.
  """
  presets.table_network(config)
  presets.standard_table(config)
  config.model.memory.temperature = 0.1


def fraud_tutorial(config: presets.Config, l1: float = 1e-7) -> None:
  """Sets the autoencoder of widely copied tutorials of card fraud.

  They are D. Ellison (datascience.com, 2018) and others after him: of all
  columns 14 tanh, 7 ReLU, 7 tanh, and as many ReLU outputs, which give no
  number below 0; time and amount standardised, components as they are; Adam at
  its usual rate in batches of 128 for 100 epochs. The activity penalty of Keras
  is `l1` times the sum over the first layer; here it is a mean, so the weight
  is 14 times as large.

  Args:
    config: to change; its network is replaced.
    l1: weight of the penalty. In the tutorials 1e-7, which does nothing beside
      an error of about 1; some have 1e-4.
  """
  config.model.network, config.model.batch_norm = 'dense', False
  config.model.widths, config.model.decoder_widths = (_UNITS,), (7,)
  config.model.code, config.model.code_activation = 7, 'relu'
  config.model.activation, config.model.output_activation = 'tanh', 'relu'
  config.data.scaling, config.data.log1p = 'standard', False
  config.data.clip = 0.0
  config.data.unscaled_columns = tuple(f'V{i}' for i in range(1, 29))
  config.train.l1_of, config.train.code_l1 = 'first_layer', _UNITS * l1
  config.train.batch_size, config.train.learning_rate = 128, 1e-3
