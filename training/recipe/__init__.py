"""How homing-s is trained: material, views, network, losses, the loop, and its check.

Imports go one way: ``train_descriptor.py → loop → batches → views → geometry, tones, overlays``,
with ``losses``, ``trainable``, ``validation`` and ``material`` beside them. Nothing of ``homing``
imports this.
"""
