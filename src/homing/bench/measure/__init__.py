"""Measurements of each state: recall, false matches, copy detection."""
