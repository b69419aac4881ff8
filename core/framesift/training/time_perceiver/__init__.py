"""Trains the network that condenses the frames of a segment."""
