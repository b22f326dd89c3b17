"""Content of `results.json`."""
