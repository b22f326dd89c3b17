"""Features of pictures: what a memory of samples compares."""
