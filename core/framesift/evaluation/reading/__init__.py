"""How many words of a screen recording can still be read once tokens are dropped."""
