"""Augmentations: pure batched operations, transforms that sample for them, and training sets."""
