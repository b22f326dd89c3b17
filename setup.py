"""Puts configs/ into the package; all else is in setup.cfg."""

import setuptools

setuptools.setup(
  packages=[
    *setuptools.find_packages(include=['memae_jax*']),
    'memae_jax.configs',
    'memae_jax.configs.studies',
  ],
  package_dir={
    'memae_jax.configs': 'configs',
    'memae_jax.configs.studies': 'configs/studies',
  },
)
