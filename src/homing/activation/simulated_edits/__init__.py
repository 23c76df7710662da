"""Simulated edits of copies, applied within the loop."""
