"""Codebooks: frozen quantizers that give each vector a cell and a code."""

from homing.codebooks.catalogue import (
    BundledInfo,
    bundled_codebooks,
    choose_bundled,
    load_codebook,
)
from homing.codebooks.codebook import Codebook
from homing.codebooks.factory import ACCEPTED_FORMS, Factory, parse_factory
from homing.codebooks.storage import save_codebook
from homing.codebooks.training import train_codebook

__all__ = [
    "ACCEPTED_FORMS",
    "BundledInfo",
    "Codebook",
    "Factory",
    "bundled_codebooks",
    "choose_bundled",
    "load_codebook",
    "parse_factory",
    "save_codebook",
    "train_codebook",
]
