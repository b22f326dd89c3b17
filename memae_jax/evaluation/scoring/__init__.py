"""From weights to the scores of samples."""
