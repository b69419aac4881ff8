"""What choosing frames by the question is worth: right answers from a few chosen frames."""
