"""Kinds made of boxes: AVIF, HEIC and JPEG XL, and what they are coded in."""
