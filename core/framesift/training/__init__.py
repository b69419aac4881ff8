"""Trains what framesift ships and what its learned methods need, on videos that it makes itself."""
