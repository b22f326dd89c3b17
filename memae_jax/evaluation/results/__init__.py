"""What `results.json` says."""
