"""Tests of the study's statistics."""
