"""What one looks at: report pages, contact sheets, benchmarks and their figures."""
