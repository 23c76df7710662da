"""Masking: how much each place of a picture may change before an eye notices."""
