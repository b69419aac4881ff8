"""Right answers against tokens kept: logs of answers, their statistics and their curves."""
