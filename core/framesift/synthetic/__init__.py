"""Scenes, films and questions of synthetic:// videos."""
