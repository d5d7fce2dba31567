"""Tests of the study on a generated sweep."""
