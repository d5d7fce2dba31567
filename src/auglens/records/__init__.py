"""Records: what identifies a run and what of it lies on disk. Free of torch."""
