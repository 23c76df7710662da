"""Figures, their intervals, and tables of them."""
