"""Views made many at a time where the network runs: the edits of :mod:`recipe.mixes` as tensors.

Pictures are (b, 3, S, S) in [0, 1], squashed to squares beforehand; every edit draws one strength
for each picture from the NumPy generator it is given, so that a batch is the same on any device.
"""
