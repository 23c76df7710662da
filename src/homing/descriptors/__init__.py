"""Descriptors: networks that map a picture to a unit vector; copies get near vectors.

>>> from homing.descriptors import load_descriptor
>>> descriptor = load_descriptor("homing-s")
>>> descriptor.dimension
256
"""

from homing.descriptors.descriptor import Descriptor, PictureLike, descriptor_from_callable
from homing.descriptors.download import cache_folder
from homing.descriptors.loading import load_descriptor, weights_path
from homing.descriptors.preprocessing import InputRule
from homing.descriptors.registry import DescriptorInfo, registry

__all__ = [
    "Descriptor",
    "DescriptorInfo",
    "InputRule",
    "PictureLike",
    "cache_folder",
    "descriptor_from_callable",
    "load_descriptor",
    "registry",
    "weights_path",
]
