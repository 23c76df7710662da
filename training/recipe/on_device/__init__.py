"""Views made in batches on the network's device: the edits of :mod:`recipe.mixes` on tensors.

Pictures are (b, 3, S, S) in [0, 1], squashed to squares beforehand. Every edit draws one strength
for each picture from a NumPy generator, so that strengths are the same on any device.
"""
