"""Signed files of every kind: valid manifests, read back, and an unchanged picture.

These tests also cover c2pa/credentials and c2pa/stores.
"""

import io
import json
from pathlib import Path

import c2pa
import imagecodecs
import numpy as np
import pytest
from PIL import Image

import homing
from homing.c2pa import ALGORITHM, Binding, active_manifest, extract_manifest
from homing.c2pa.signing import ManifestSigner, Signed, _signer
from homing.errors import PictureError, UsageError
from homing.images import (
    CREDENTIALS_LEFT_OUT,
    encode,
    encodings,
    manifest_store,
    read_picture,
    same_but_for_credentials,
    sniff,
)
from homing.images.formats.blocks.look import pictures_within
from tests.helpers.boxed import boxed_jxl
from tests.helpers.picture_files import saved, scene
from tests.helpers.signing_material import write_material

TYPES = {kind: f"image/{kind.lower()}" for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "JXL")}
BINDING = Binding.of(np.full(16, 0.25), descriptor="a", codebook="b")
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" '
    b'dcterms:provenance="https://example.org/old.c2pa"/></rdf:RDF></x:xmpmeta>'
)


@pytest.fixture(scope="module")
def signer(credentials: homing.ContentCredentials) -> ManifestSigner:
    return ManifestSigner(credentials)


def drawn(mode: str = "RGB", size: tuple[int, int] = (61, 43)) -> Image.Image:
    noise = np.random.default_rng(3).integers(0, 256, (7, 9, len(mode)), dtype=np.uint8)
    bands = [Image.fromarray(noise[..., i]).resize(size) for i in range(len(mode))]
    return Image.merge(mode, bands) if len(mode) > 1 else bands[0]


def file_of(kind: str, mode: str = "RGB", **options) -> bytes:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[274], exif[270] = 6, "a description"
    drawn(mode).save(stream, kind, exif=exif, **options)
    return stream.getvalue()


FILES = {
    "jpeg": file_of("JPEG", xmp=XMP, comment=b"hello", progressive=True),
    "grey jpeg": file_of("JPEG", "L"),
    "png": file_of("PNG"),
    "png with alpha": file_of("PNG", "RGBA"),
    "webp": file_of("WEBP", xmp=XMP),
    "lossless webp": file_of("WEBP", lossless=True),
    "webp with alpha": file_of("WEBP", "RGBA"),
    "tiff": file_of("TIFF"),
    "tiff with alpha": file_of("TIFF", "RGBA"),
    "avif": file_of("AVIF", xmp=XMP),
    "avif with alpha": file_of("AVIF", "RGBA"),
    "jpeg xl": boxed_jxl(
        bytes(imagecodecs.jpegxl_encode(np.asarray(drawn()), lossless=True)), (b"xml ", XMP)
    ),
    "bare jpeg xl": bytes(imagecodecs.jpegxl_encode(np.asarray(drawn()), distance=1)),
}


def signed(signer: ManifestSigner, data: bytes, source: bytes | None = None) -> Signed:
    source = source or data
    return signer.sign(data, sniff(data), BINDING, source=source, source_kind=sniff(source))


def read(data: bytes, kind: str | None = None) -> tuple[str, dict]:
    """Return c2pa's validation state of a file, and its active manifest."""
    context = c2pa.Context.from_dict({"verify": {"remote_manifest_fetch": False}})
    with c2pa.Reader(kind or TYPES[sniff(data)], io.BytesIO(data), context=context) as reader:
        found = json.loads(reader.json())
    return found["validation_state"], found["manifests"][found["active_manifest"]]


@pytest.mark.parametrize("name", FILES)
def test_a_signed_file_is_valid_and_the_picture_as_it_was(
    signer: ManifestSigner, name: str
) -> None:
    picture = read_picture(FILES[name])
    written = encode(picture, picture.pixels, encoding=encodings(picture)[0])
    file = signed(signer, written)
    state, manifest = read(file.data)
    assert state == "Valid"
    assert manifest["label"] == file.manifest
    (bound,) = [a["data"] for a in manifest["assertions"] if a["label"] == "c2pa.soft-binding"]
    assert bound["alg"] == ALGORITHM
    assert np.array_equal(Binding.from_text(bound["blocks"][0]["value"]).vector, BINDING.vector)
    assert same_but_for_credentials(written, file.data)
    assert len(file.data) - len(written) < 8000


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "tiff", "avif", "jpeg xl"])
def test_the_store_in_a_file_is_the_one_written(signer: ManifestSigner, name: str) -> None:
    file = signed(signer, FILES[name])
    store = manifest_store(file.data)
    assert store is not None
    assert active_manifest(store) == file.manifest
    assert manifest_store(FILES[name]) is None


def test_what_a_manifest_says_names_no_file(signer: ManifestSigner) -> None:
    _, manifest = read(signed(signer, FILES["png"]).data)
    labels = {each["label"] for each in manifest["assertions"]}
    assert labels == {"c2pa.soft-binding", "c2pa.actions.v2"}
    (actions,) = [a["data"] for a in manifest["assertions"] if a["label"] == "c2pa.actions.v2"]
    assert [each["action"] for each in actions["actions"]] == ["c2pa.opened", "c2pa.edited"]
    (parent,) = manifest["ingredients"]
    assert parent["relationship"] == "parentOf"
    assert not parent.get("title")
    assert "thumbnail" not in parent
    assert "thumbnail" not in manifest
    assert manifest["claim_generator_info"][0]["name"] == "homing"


@pytest.mark.parametrize("generations", [1, 2])
def test_previews_in_credentials_do_not_leave(
    signer: ManifestSigner, credentials: homing.ContentCredentials, generations: int
) -> None:
    plain = source = saved(scene(600, 800), "JPEG")
    settings = {"builder": {"thumbnail": {"enabled": True}}}
    context = c2pa.Context.from_dict(settings, signer=_signer(credentials))
    definition = {"claim_generator_info": [{"name": "camera", "version": "1"}]}
    for _ in range(generations):
        shown = io.BytesIO()
        with c2pa.Builder(definition, context=context) as builder:
            builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
            parent = {"relationship": "parentOf"}
            builder.add_ingredient(parent, "image/jpeg", io.BytesIO(source))
            builder.sign("image/jpeg", io.BytesIO(plain), shown)
        source = shown.getvalue()
    assert list(pictures_within(manifest_store(source) or b""))
    file = signed(signer, plain, source)
    assert file.redacted
    store = manifest_store(file.data)
    assert store is not None
    assert not list(pictures_within(store))
    state, _ = read(file.data)
    assert state == "Valid"


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "tiff"])
def test_credentials_of_the_source_are_its_parents(signer: ManifestSigner, name: str) -> None:
    source = signed(signer, FILES[name])
    picture = read_picture(source.data)
    assert CREDENTIALS_LEFT_OUT in picture.notes
    written = encode(picture, picture.pixels, encoding=encodings(picture)[0])
    assert manifest_store(written) is None  # otherwise it would vouch for other pixels than its own
    file = signed(signer, written, source.data)
    state, manifest = read(file.data)
    assert state == "Valid"
    assert manifest["ingredients"][0]["active_manifest"] == source.manifest
    # Each of the two is a store by itself.
    store = manifest_store(file.data)
    assert store is not None
    for each in (source.manifest, file.manifest):
        assert active_manifest(extract_manifest(store, each)) == each
        assert len(extract_manifest(store, each)) < len(store)
        assert read(extract_manifest(store, each), "application/c2pa")[1]["label"] == each
    with pytest.raises(PictureError, match="holds no manifest 'x'"):
        extract_manifest(store, "x")


def test_a_store_longer_than_a_segment_is_put_together(signer: ManifestSigner) -> None:
    """Each release of a released file adds a manifest; a JPEG's segment holds 64 KiB."""
    file = signed(signer, FILES["grey jpeg"])
    for _ in range(20):
        file = signed(signer, FILES["grey jpeg"], file.data)
    store = manifest_store(file.data)
    assert store is not None
    assert len(store) > 66_000
    assert active_manifest(store) == file.manifest
    assert read(store, "application/c2pa")[1]["label"] == file.manifest


@pytest.mark.parametrize("kind", ["P-384", "RSA", "Ed25519"])
def test_other_kinds_of_keys_sign(tmp_path: Path, kind: str) -> None:
    made = ManifestSigner(homing.ContentCredentials(*write_material(tmp_path, kind)))
    assert read(signed(made, FILES["png"]).data)[0] == "Valid"


def test_a_key_stored_elsewhere_signs(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    chain, key = write_material(tmp_path, "Ed25519")
    secret = serialization.load_pem_private_key(key.read_bytes(), None)
    key.unlink()
    made = ManifestSigner(homing.ContentCredentials(chain, secret.sign))
    assert read(signed(made, FILES["png"]).data)[0] == "Valid"


def test_what_cannot_sign_is_refused_at_once(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("good", "late", "curve")}
    for folder in folders.values():
        folder.mkdir()
    chain, key = write_material(folders["good"])
    late, its_key = write_material(folders["late"], until_days=-1)
    curve, odd = write_material(folders["curve"], "P-224")
    for pair, reason in [
        ((late, its_key), "not valid at time of signing"),
        ((chain, its_key), "does not match"),
        ((key, key), "no certificate in PEM"),
        ((chain, chain), "private key"),
        ((tmp_path / "none", key), "cannot be read: No such file"),
        ((chain, tmp_path / "none"), "cannot be read: No such file"),
        ((curve, odd), "secp224r1"),
    ]:
        with pytest.raises(UsageError, match=reason):
            ManifestSigner(homing.ContentCredentials(*pair))


@pytest.mark.parametrize("address", ["", "example.org", "ftp://example.org", "http://", "http://["])
def test_addresses_are_addresses(address: str) -> None:
    with pytest.raises(UsageError, match="no http or https address"):
        homing.ContentCredentials("chain.pem", "key.pem", endpoint=address)


def test_a_damaged_store_is_refused_whatever_is_damaged(signer: ManifestSigner) -> None:
    store = manifest_store(signed(signer, FILES["png"]).data)
    assert store is not None
    for end in (0, 3, 7, 20, 40, 60, len(store) - 1):
        with pytest.raises(PictureError, match="no C2PA manifest store"):
            active_manifest(store[:end])
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(store)
        damaged[random.integers(0, 120)] = random.integers(0, 256)
        try:
            active_manifest(bytes(damaged))
        except PictureError:
            continue


def test_files_of_other_kinds_are_not_parsed() -> None:
    with pytest.raises(PictureError, match="GIF"):
        manifest_store(b"GIF89a\0\0")
