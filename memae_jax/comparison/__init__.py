"""Runs side by side: one table, and differences on the same samples."""
