"""What AugLens is timed against. Each file is a program of its own and knows nothing of AugLens."""
