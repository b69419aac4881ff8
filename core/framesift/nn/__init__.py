"""Networks that framesift trains itself."""
