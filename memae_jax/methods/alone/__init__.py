"""Methods of one picture alone, without training data."""
