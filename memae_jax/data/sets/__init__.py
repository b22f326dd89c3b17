"""The published and the generated data sets."""
