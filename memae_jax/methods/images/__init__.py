"""Methods of pictures alone, and patches of pictures for all methods."""
