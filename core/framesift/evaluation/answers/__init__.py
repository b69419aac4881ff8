"""Right answers about shortened videos: asked, logged, counted and compared."""
