"""What compression costs and buys on the reader's own card, beside transformers' own path."""
