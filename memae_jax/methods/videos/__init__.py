"""Methods that others made for videos, to compare with."""
