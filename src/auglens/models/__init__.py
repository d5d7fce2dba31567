"""Networks: plain modules that map images in [0, 1] to logits."""
