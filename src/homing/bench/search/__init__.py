"""Exact search, and search through a codebook."""
