"""One module a format: its structure, its pixels, and new pixels in it."""
