"""Files of exported scorers, and the day until which JAX reads them."""
