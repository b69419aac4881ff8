"""A page of this machine that shows what is kept of a video, for any strategy and share."""
