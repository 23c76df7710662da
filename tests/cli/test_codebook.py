"""``codebook import``: a Faiss index as a codebook, and what is said of it."""

from pathlib import Path

import faiss

import homing
from tests.helpers.faiss_indexes import trained_index
from tests.helpers.vectors import unit_vectors


def test_a_faiss_index_is_imported_and_served(
    homing_cli, tmp_path, photos, network_file, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for form in ("IVF8,SQ4", "IVF8,SQ8"):
        faiss.write_index(trained_index(form, vectors=unit_vectors(600, 0)), f"{form[-3:]}.faiss")
    given = ["codebook", "import", "SQ4.faiss", "--descriptor", network_file]
    (answer,) = homing_cli(*given, "--json").objects
    assert (answer["factory"], answer["cells"], answer["code_bytes"]) == (
        "IVF8,ScalarQuantizer",
        8,
        None,
    )
    assert answer["cells_only"] == "its scalar quantizer is not SQ8"
    assert answer["descriptor_fingerprint"] == homing.load_descriptor(network_file).fingerprint
    assert homing_cli(*given, "--json").objects == [answer]  # as it is already
    shown = homing_cli("codebook", "show", "SQ4.safetensors", "--json").objects
    assert shown == [answer]
    chosen = ["--descriptor", network_file, "--codebook", "SQ4.faiss", "--out", "out"]
    assert homing_cli("activate", "photos/0.jpg", *chosen, "--method", "paper").status == 0
    assert Path("out/0.jpg").read_bytes() != Path("photos/0.jpg").read_bytes()
    refused = homing_cli("init", "a", "--descriptor", network_file, "--codebook", "SQ4.faiss")
    assert (refused.status, "cells alone" in refused.err) == (2, True)
    made = homing_cli("init", "a", "--descriptor", network_file, "--codebook", "SQ8.faiss")
    assert made.status == 0
    given = ["--out", "both", "--also", "SQ4.faiss", "--method", "paper"]
    assert homing_cli("release", "a", "photos/0.jpg", *given).status == 0
    other = homing_cli("codebook", "import", "SQ4.faiss", "--descriptor", "homing-s")
    assert (other.status, "192 dimensions" in other.err) == (2, True)


def test_traps_of_an_index_are_lines(homing_cli, network_file, tmp_path):
    index = trained_index("IVF8,SQ4", vectors=9 * unit_vectors(600, 0))
    faiss.write_index(index, str(tmp_path / "long.faiss"))
    given = ["codebook", "import", tmp_path / "long.faiss", "--descriptor", network_file]
    ran = homing_cli(*given, "--json")
    assert ran.status == 0
    assert ran.err.startswith("warning: ")
    assert "not of unit length" in ran.err
