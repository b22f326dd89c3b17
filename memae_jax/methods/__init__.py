"""Methods that detect anomalies; `registry` has them by name."""

from memae_jax.methods import entries, registry

registry.register(*entries.ALL)
