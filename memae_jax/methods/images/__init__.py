"""Methods that others made for pictures of defects, to compare with."""
