"""Doubts of methods about their own weights, such as a collapse."""

from collections.abc import Iterable
from typing import Any

import jax

from memae_jax.methods import base, registry
from memae_jax.training import experiment


def warnings(
  families: Iterable[tuple[experiment.Experiment, Any]],
) -> list[str]:
  """Returns a sentence for each method some of whose runs are in doubt.

  Args:
    families: experiments with the weights of their fleets.
  """
  out = []
  for exp, weights in families:
    method = exp.trainer.method
    if type(method).doubt is base.Method.doubt or exp.programs.is_large:
      continue
    doubts: dict[str, list[str]] = {}
    for index, replica in enumerate(exp.replicas):
      variables = exp.programs.one(weights, index).variables
      found = method.doubt(jax.device_get(variables))
      doubts.setdefault(replica.variant, []).append(found)
    for variant, texts in doubts.items():
      failed = [text for text in texts if text]
      if failed:
        out.append(
          f'{len(failed)} of {len(texts)} runs of'
          f' {registry.find(variant).label}: {failed[0]}. Means over runs'
          ' include them.'
        )
  return out
