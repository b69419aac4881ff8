"""Trains the frame selector: from labels of frames to a network that scores them."""
