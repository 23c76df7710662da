"""Codebooks: frozen quantizers that give each vector a cell and a code."""

from homing.codebooks.any_codebook import AnyCodebook
from homing.codebooks.catalogue import BundledInfo, bundled_codebooks, choose_bundled
from homing.codebooks.codebook import Codebook
from homing.codebooks.factory import ACCEPTED_FORMS, Factory, parse_factory
from homing.codebooks.faiss_codebook import FaissCodebook, with_codes
from homing.codebooks.faiss_index import codebook_from_faiss
from homing.codebooks.names import load_codebook
from homing.codebooks.storage import save_codebook
from homing.codebooks.training import train_codebook

__all__ = [
    "ACCEPTED_FORMS",
    "AnyCodebook",
    "BundledInfo",
    "Codebook",
    "Factory",
    "FaissCodebook",
    "bundled_codebooks",
    "choose_bundled",
    "codebook_from_faiss",
    "load_codebook",
    "parse_factory",
    "save_codebook",
    "train_codebook",
    "with_codes",
]
