"""Data sets: what images are, where they come from, how they are split."""
