"""Indexes of others: cells as Faiss's at real sizes, and copies found again in them.

``python benchmarks/own_index.py cells``: 100,000 vectors of 256 components against 1,024 cells.
``python benchmarks/own_index.py copies PHOTOS``: pictures activated for imported indexes, against
the codebook that ships with homing; the share of the way from untouched to exact that is closed.
``python benchmarks/own_index.py postgres ADDRESS``: a probe among a million entries.
"""

import sys
import time
from pathlib import Path

import faiss
import numpy as np
