"""Parameters of an estimator, and the config that they stand for."""

import inspect
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import sklearn.base
import sklearn.utils

from memae_jax.estimators import recipe
from memae_jax.runtime import errors

_SEEDS = 2**31  # Of `train.seed`.


class Parameters(sklearn.base.BaseEstimator):
  """Parameters of an estimator of one method.

  Attributes:
    method: name of the method in the registry, of the class.
  """

  method: ClassVar[str] = 'memae'

  def __init__(
    self,
    *,
    epochs: float | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    slots: int | None = None,
    code: int | None = None,
    widths: tuple[int, ...] | None = None,
    network: str | None = None,
    contamination: float | str = 'auto',
    random_state: int | np.random.RandomState | None = None,
    config: Any = None,
    verbose: int = 1,
  ):
    """Stores the parameters; `fit` checks them.

    Args:
      epochs: passes over the samples.
      batch_size: samples per step.
      learning_rate: of Adam.
      slots: memory size N, of methods with a memory.
      code: width of the encoding of dense networks.
      widths: hidden widths, or channels of convolutions.
      network: 'dense' or 'conv'.
      contamination: share of the samples of `fit` that are to be flagged, above
        0 and at most 0.5; or 'auto': rows are flagged whose score is above the
        quantile `eval.normal_quantile` (0.95) of held-out samples of `fit`.
      random_state: seed of split, initial weights and batches, below 2**31; the
        same as `train.seed` of a command. None: another one in each `fit`.
      config: any further fields by dotted names, such as {'train.alpha': 0.0};
        `memae_jax/config/*_fields.py` has them all.
      verbose: 0: silent; 1: a progress bar.
    """
    self.epochs = epochs
    self.batch_size = batch_size
    self.learning_rate = learning_rate
    self.slots = slots
    self.code = code
    self.widths = widths
    self.network = network
    self.contamination = contamination
    self.random_state = random_state
    self.config = config
    self.verbose = verbose

  if not TYPE_CHECKING:  # Which knows the parameters from `__init__`.

    def __new__(cls, *args: Any, **parameters: Any) -> Self:
      """Checks the names of parameters, which have no places.

      Raises:
        TypeError: there is no such parameter.
      """
      known = cls._get_param_names()
      for name in parameters:
        if name not in known:
          raise TypeError(
            f'{cls.__name__} has no parameter "{name}"'
            + errors.did_you_mean(name, known)
            + '; fields of the config go into config={"train.alpha": 0.0}'
          )
      if args:
        raise TypeError(
          f'{cls.__name__} takes parameters by name, such as epochs=50; give X'
          ' to fit()'
        )
      return super().__new__(cls)

    # What `help` and notebooks show.
    __signature__ = inspect.Signature(
      list(inspect.signature(__init__).parameters.values())[1:]
    )

  def check_parameters(self) -> None:
    """Raises UserError for parameters that are no fields of the config."""
    share = self.contamination
    if isinstance(share, str):
      sound = share == 'auto'
    else:
      sound = isinstance(share, (int, float, np.number)) and 0 < share <= 0.5
    if not sound:
      raise errors.UserError(
        f'parameter "contamination" is {share!r}; use "auto", or a share above'
        ' 0 and at most 0.5'
      )
    recipe.flat(self.config or {})

  def resolved(self, array: np.ndarray) -> Any:
    """Returns the resolved config for samples."""
    seed = self.random_state
    if seed is None or not isinstance(seed, (int, np.integer)):
      seed = sklearn.utils.check_random_state(seed).randint(_SEEDS)
    named = {name: getattr(self, name) for name in recipe.NAMED}
    return recipe.config(
      self.method,
      array.shape[1:],
      array.dtype,
      named,
      int(seed),
      self.config,
    )
