"""Engines that find entries by their codes: in memory, through Lance, and several combined."""
