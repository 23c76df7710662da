"""Engines that find the entries whose codes are nearest to a query."""
