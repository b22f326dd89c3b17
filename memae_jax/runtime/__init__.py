"""What every command runs on: files, errors, processes and devices."""
