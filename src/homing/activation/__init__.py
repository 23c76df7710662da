"""Activation: pictures change, invisibly, so that their edited copies stay in their cell."""

from homing.activation.activator import Activated, Activator
from homing.activation.api import activate
from homing.activation.loop import LoopSettings
from homing.activation.methods import METHODS, Method, find_method
from homing.activation.tensors import ActivationLayer, activate_tensors
from homing.activation.vectors import recorded_vectors

__all__ = [
    "METHODS",
    "Activated",
    "ActivationLayer",
    "Activator",
    "LoopSettings",
    "Method",
    "activate",
    "activate_tensors",
    "find_method",
    "recorded_vectors",
]
