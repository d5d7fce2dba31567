"""Measures of saliency maps: pure functions on the CPU in float64."""
