"""Exported scorers: what their files hold, and until when JAX reads them."""
