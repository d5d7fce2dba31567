"""Tests of the measures of maps."""
