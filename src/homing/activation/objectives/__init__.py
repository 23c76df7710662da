"""Objectives of the loop: a loss for each picture."""
