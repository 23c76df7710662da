"""Signing of files with manifests, by c2pa-python; nothing is fetched without an address given."""

import importlib.util
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from homing._version import __version__
from homing.c2pa.binding import ALGORITHM, Binding
from homing.c2pa.credentials import ContentCredentials
from homing.errors import PictureError, UsageError
from homing.extras import install_command
from homing.images.formats.blocks.carriers import THUMBNAIL
from homing.images.formats.blocks.look import pictures_within
from homing.images.metadata.metadata import manifest_store

_TYPES = MappingProxyType(
    {
        "JPEG": "image/jpeg",
        "PNG": "image/png",
        "WEBP": "image/webp",
        "TIFF": "image/tiff",
        "AVIF": "image/avif",
        "JXL": "image/jxl",
    }
)
_CURVES = MappingProxyType({"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"})

# Thumbnails would put a second, unactivated picture into the file.
_SETTINGS = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
_ADDRESS = "self#jumbf=/c2pa/"
_REASON = "c2pa.trade-secret.present"  # of those that C2PA knows, the one for what is unreleased
_DONE = (
    "Changed by an amount nobody sees, so that edited copies are found again by their descriptor"
)


@dataclass(frozen=True)
class Signed:
    """File with a manifest."""

    data: bytes  # the file
    manifest: str  # id of its active manifest
    redacted: bool = False  # whether the source's credentials lost their previews


class ManifestSigner:
    """Signer of files; tries the credentials once, and raises `UsageError` if they do not work."""

    def __init__(self, credentials: ContentCredentials) -> None:
        if importlib.util.find_spec("c2pa") is None:
            raise UsageError(
                "content credentials need c2pa-python, not installed here: "
                f"{install_command('c2pa')}"
            )
        import c2pa

        try:
            self._context = c2pa.Context.from_dict(_SETTINGS, signer=_signer(credentials))
            self._reading = c2pa.Context.from_dict(_SETTINGS)
            self._try_out()
        except (c2pa.C2paError, PictureError) as error:
            raise UsageError(
                f"nothing can be signed with the certificates {os.fspath(credentials.chain)!r} and "
                f"their key: {error}"
            ) from error

    def sign(
        self, data: bytes, kind: str, binding: Binding, *, source: bytes, source_kind: str
    ) -> Signed:
        """Write a manifest into a file; `PictureError` if that fails or it would not be valid.

        It states that the file is `source`, edited by homing, and holds the soft binding.
        Credentials of the source are stored as those of its parent, without their previews, which
        show what is not released. File names are not stated.
        """
        import c2pa

        signed = io.BytesIO()
        try:
            previews = self._previews_in(source, source_kind)
            definition = _definition(binding) | ({"redactions": previews} if previews else {})
            with c2pa.Builder(definition, context=self._context) as builder:
                builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
                parent = {"relationship": "parentOf"}
                builder.add_ingredient(parent, _TYPES[source_kind], io.BytesIO(source))
                builder.add_action({"action": "c2pa.edited", "description": _DONE})
                for each in previews:
                    builder.add_action(
                        {
                            "action": "c2pa.redacted",
                            "reason": _REASON,
                            "parameters": {"redacted": each},
                        }
                    )
                builder.sign(_TYPES[kind], io.BytesIO(data), signed)
            _check_previews(signed.getvalue())
            return Signed(signed.getvalue(), self._manifest_in(signed, kind), bool(previews))
        except c2pa.C2paError as error:
            raise PictureError(f"no content credentials can be written: {error}") from error

    def _previews_in(self, source: bytes, kind: str) -> list[str]:
        """Return the addresses of the previews in the manifests that a source carries."""
        import c2pa

        if not manifest_store(source):
            return []
        with c2pa.Reader(_TYPES[kind], io.BytesIO(source), context=self._reading) as reader:
            manifests = json.loads(reader.json())["manifests"]
        return [
            found["thumbnail"]["identifier"].replace("self#jumbf=c2pa.", f"{_ADDRESS}{name}/c2pa.")
            for name, manifest in manifests.items()
            for found in (manifest, *manifest.get("ingredients", ()))
            if "identifier" in found.get("thumbnail", ())
        ]

    def _manifest_in(self, file: io.BytesIO, kind: str) -> str:
        """Read back the manifest just written, check it, and return its id."""
        import c2pa

        file.seek(0)
        with c2pa.Reader(_TYPES[kind], file, context=self._reading) as reader:
            found = json.loads(reader.json())
        # "Valid": whole and rightly signed; whom to trust is the decision of the file's reader.
        if found["validation_state"] not in {"Valid", "Trusted"}:
            codes = [each["code"] for each in found.get("validation_status", [])]
            raise PictureError(f"the content credentials written are not valid: {codes}")
        return str(found["active_manifest"])

    def _try_out(self) -> None:
        import numpy as np
        from PIL import Image

        blank = io.BytesIO()
        Image.new("L", (1, 1)).save(blank, "PNG")
        nothing = Binding.of(np.ones(1), descriptor="", codebook="")
        picture = blank.getvalue()
        self.sign(picture, "PNG", nothing, source=picture, source_kind="PNG")


def _check_previews(signed: bytes) -> None:
    """Refuse a file whose manifests still hold a picture above thumbnail size."""
    store = manifest_store(signed) or b""
    if any(max(size) > THUMBNAIL for _, _, _, size in pictures_within(store)):
        raise PictureError(
            "the source's content credentials hold previews of it that cannot be left out; "
            "release it without signing, or from a source without credentials"
        )


def _definition(binding: Binding) -> dict[str, Any]:
    """Return the content of the manifest, in c2pa's JSON."""
    bound = {"alg": ALGORITHM, "blocks": [{"scope": {}, "value": binding.text}]}
    return {
        "claim_generator_info": [{"name": "homing", "version": __version__}],
        "assertions": [{"label": "c2pa.soft-binding", "data": bound}],
    }


def _signer(credentials: ContentCredentials) -> Any:
    import c2pa

    chain = _read(credentials.chain, "certificates")
    algorithm = _algorithm(chain, credentials.chain)
    key = credentials.key
    if callable(key):
        named = c2pa.C2paSigningAlg[algorithm.upper()]
        certificates = chain.decode("ascii", "replace")
        return c2pa.Signer.from_callback(key, named, certificates, credentials.timestamp)
    info = c2pa.C2paSignerInfo(algorithm, chain, _read(key, "private key"), credentials.timestamp)
    return c2pa.Signer.from_info(info)


def _read(path: str | os.PathLike[str], what: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"the {what} {os.fspath(path)!r} cannot be read: {error.strerror}"
        ) from error


def _algorithm(chain: bytes, path: str | os.PathLike[str]) -> str:
    """Return C2PA's name of the algorithm that the first certificate's key signs with."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.x509 import load_pem_x509_certificates

    try:
        key = load_pem_x509_certificates(chain)[0].public_key()
    except ValueError as error:
        raise UsageError(f"{os.fspath(path)!r} holds no certificate in PEM: {error}") from error
    if isinstance(key, rsa.RSAPublicKey):
        return "ps256"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    curve = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__
    if curve not in _CURVES:
        raise UsageError(
            f"C2PA knows no signature by a key of the kind {curve}; take a certificate of P-256, "
            "P-384, P-521, RSA or Ed25519"
        )
    return _CURVES[curve]
