"""Features of pictures from a network that is trained elsewhere and frozen."""
