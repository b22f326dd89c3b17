"""The config of an experiment: its schema, checks, arguments and files."""

from memae_jax.config.arguments import parse_arg
from memae_jax.config.checking import (
  assign,
  changed,
  chosen,
  data_of,
  filled,
  flatten,
  of_family,
  resolve,
)
from memae_jax.config.data_fields import ONE_CLASS, PROTOCOLS
from memae_jax.config.model_fields import READS
from memae_jax.config.run_fields import BASELINES
from memae_jax.config.schema import (
  PAPERS,
  SCHEMA,
  default,
  find,
  has_role,
  names_run,
  trains,
  with_role,
)
from memae_jax.config.stored import load, read, to_json

__all__ = [
  'BASELINES',
  'ONE_CLASS',
  'PAPERS',
  'PROTOCOLS',
  'READS',
  'SCHEMA',
  'assign',
  'changed',
  'chosen',
  'data_of',
  'default',
  'filled',
  'find',
  'flatten',
  'has_role',
  'load',
  'names_run',
  'of_family',
  'parse_arg',
  'read',
  'resolve',
  'to_json',
  'trains',
  'with_role',
]
