"""Pictures and films of what a detector sees."""
