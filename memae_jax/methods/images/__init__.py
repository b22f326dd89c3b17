"""Methods that others made for images, to compare with."""
