"""The nouns of framesift: frozen values without I/O or model code."""
