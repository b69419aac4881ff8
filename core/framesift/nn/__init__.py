"""Networks that framesift trains itself: their layers, and how they are kept on disk."""
