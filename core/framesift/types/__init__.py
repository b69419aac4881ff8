"""The values of framesift: frozen dataclasses without model code."""
