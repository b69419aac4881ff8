"""The checked HTTP client: which links may be followed, and what a download may cost."""
