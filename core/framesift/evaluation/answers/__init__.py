"""Right answers about shortened videos: a model is questioned, its answers logged and compared."""
