"""Measurements of the library itself: `make bench`, or `PYTHONPATH=tests python -m benchmarks`."""
