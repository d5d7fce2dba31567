"""Verdicts on claims and hypotheses: each from one primary analysis, named before any number."""
