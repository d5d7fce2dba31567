"""Saliency: attribution methods, the guard they run under, and how maps are drawn."""
