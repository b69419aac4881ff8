"""From a video to the tokens and pictures that survive."""
