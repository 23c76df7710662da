"""Blocks beside the pixels of a file: what they hold, and which of it may leave with a release."""
