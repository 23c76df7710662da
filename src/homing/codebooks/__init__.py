"""Codebooks: frozen quantizers that say in which cell a vector falls and which code it gets."""

from homing.codebooks.catalogue import BundledInfo, bundled, choose_bundled, load_codebook
from homing.codebooks.codebook import Codebook
from homing.codebooks.factory import ACCEPTED_FORMS, Factory, parse_factory
from homing.codebooks.storage import save_codebook
from homing.codebooks.training import train_codebook

__all__ = [
    "ACCEPTED_FORMS",
    "BundledInfo",
    "Codebook",
    "Factory",
    "bundled",
    "choose_bundled",
    "load_codebook",
    "parse_factory",
    "save_codebook",
    "train_codebook",
]
