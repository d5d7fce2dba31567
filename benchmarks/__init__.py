"""What AugLens costs, beside what people would use instead. Timed by `make bench`, never by tests."""
