"""Training of homing-s: material, views, network, losses, the loop, and its validation.

Imports go one way: ``train_descriptor.py → loop → batches → views → geometry, tones, overlays``,
with ``losses``, ``trainable``, ``validation`` and ``material`` beside them. Nothing of ``homing``
imports this.
"""
