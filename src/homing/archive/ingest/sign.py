"""Content Credentials put into a released file before it is written, and into its entry."""

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from homing.archive.inputs import Input
from homing.archive.query.manifests import ENDPOINT, MANIFEST
from homing.c2pa.binding import Binding
from homing.c2pa.credentials import ContentCredentials
from homing.c2pa.signing import ManifestSigner
from homing.errors import PictureError
from homing.images.kinds import sniff
from homing.images.limits import read_bytes
from homing.images.metadata.metadata import same_but_for_credentials
from homing.images.picture import CREDENTIALS_LEFT_OUT

if TYPE_CHECKING:
    from homing.activation.activator import Activated, Activator

_CREDENTIALS_AS_PARENT = "content credentials of the source kept as those of its parent"
_WITHOUT_PREVIEWS = f"{_CREDENTIALS_AS_PARENT}, without their previews"


@dataclass(frozen=True)
class Seal:
    """A signer of the files that an activator makes."""

    signer: ManifestSigner
    activator: "Activator"  # its descriptor and codebook are the soft binding's
    endpoint: str | None  # API that serves the manifests

    @classmethod
    def of(cls, credentials: ContentCredentials, activator: "Activator") -> "Seal":
        """Take credentials; `UsageError` if nothing can be signed with them."""
        return cls(ManifestSigner(credentials), activator, credentials.endpoint)

    def put(self, item: Input, activated: "Activated") -> tuple[Input, "Activated"]:
        """Sign a file, and note its manifest in the entry's metadata.

        `PictureError` if the metadata has a manifest already, the source has changed, or the file
        cannot be signed or would not be the same picture with a manifest.
        """
        metadata = dict(item.metadata or {})
        if taken := {MANIFEST, ENDPOINT} & metadata.keys():
            raise PictureError(
                f"its metadata already has {sorted(taken)}, meant for the manifest signed now; "
                "take it out of the manifest of pictures"
            )
        source = self._source(item, activated)
        signed = self.signer.sign(
            activated.data,
            activated.kind,
            Binding.of(
                activated.vector.astype(np.float16),
                descriptor=self.activator.descriptor.fingerprint,
                codebook=self.activator.codebook.fingerprint,
            ),
            source=source,
            source_kind=sniff(source),
        )
        if not same_but_for_credentials(activated.data, signed.data):
            raise PictureError("with content credentials the file would be another picture")
        metadata[MANIFEST] = signed.manifest
        if self.endpoint:
            metadata[ENDPOINT] = self.endpoint
        kept = _WITHOUT_PREVIEWS if signed.redacted else _CREDENTIALS_AS_PARENT
        notes = tuple(kept if note == CREDENTIALS_LEFT_OUT else note for note in activated.notes)
        return (
            dataclasses.replace(item, metadata=metadata),
            dataclasses.replace(activated, data=signed.data, notes=notes),
        )

    def _source(self, item: Input, activated: "Activated") -> bytes:
        source = read_bytes(item.path, limits=self.activator.limits)
        if hashlib.sha256(source).digest() != activated.source_sha256:
            raise PictureError("it changed while it was being activated; release it again")
        return source
