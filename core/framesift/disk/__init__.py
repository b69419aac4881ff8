"""Files of our own: temporary folders, and writing that leaves whole files or none."""
