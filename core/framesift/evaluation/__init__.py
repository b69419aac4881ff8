"""What one looks at: reports, benchmarks, logs of answers and their curves, README's tables."""
