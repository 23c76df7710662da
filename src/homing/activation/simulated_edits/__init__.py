"""Edits of copies, simulated within the loop."""
