"""Defaults that several parts share, where the command line can have them without torch."""

METHOD = "robust"
"""Method of activation; :data:`homing.activation.METHODS` has them all."""
