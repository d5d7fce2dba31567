"""Tests that both sides of a benchmark do the same work."""
