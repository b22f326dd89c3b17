"""What is computed of scores and labels, by NumPy alone."""
