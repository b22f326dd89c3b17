"""Ground that every command stands on: files, errors, processes, devices."""
