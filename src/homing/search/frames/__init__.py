"""Frames of pictures: bars and bands around them, or a page that shows them."""
