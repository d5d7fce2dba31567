"""Measures of the explain stage: what needs a network, or several, beside the maps."""
