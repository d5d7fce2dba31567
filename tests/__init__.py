"""The tests; a package so that they can share generated data."""
