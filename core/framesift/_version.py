"""The version of every framesift distribution."""

__version__ = "0.1.0"
