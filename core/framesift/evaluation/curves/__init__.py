"""The pictures and the page of a log of answers: what compression costs, and what it buys."""
