"""Content Credentials put into a released file before it is written, and into its entry."""

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np

from homing.activation import Activated, Activator
from homing.archive.inputs import Input
from homing.archive.query.manifests import ENDPOINT, MANIFEST
from homing.c2pa import Binding, ContentCredentials
from homing.c2pa.signing import ManifestSigner
from homing.errors import PictureError
from homing.images import CREDENTIALS_LEFT_OUT, read_bytes, same_but_for_credentials, sniff

_KEPT = "content credentials of the source kept as those of its parent"


@dataclass(frozen=True)
class Seal:
    """Signs what an activator has made.

    Attributes
    ----------
    signer : ManifestSigner
    activator : Activator
        Of which descriptor and codebook the soft binding is.
    endpoint : str or None
        Where the manifests are to be had.
    """

    signer: ManifestSigner
    activator: Activator
    endpoint: str | None

    @classmethod
    def of(cls, credentials: ContentCredentials, activator: Activator) -> "Seal":
        """Take credentials; `UsageError` if nothing can be signed with them."""
        return cls(ManifestSigner(credentials), activator, credentials.endpoint)

    def put(self, item: Input, activated: Activated) -> tuple[Input, Activated]:
        """Sign a file, and note its manifest in what is recorded of it.

        Raises
        ------
        PictureError
            Its entry is to have another manifest, the source has changed, or the file cannot be
            signed, or would not be the same picture with a manifest.
        """
        known = dict(item.metadata or {})
        if taken := {MANIFEST, ENDPOINT} & known.keys():
            raise PictureError(
                f"its metadata has {sorted(taken)} already, which is for the manifest signed now; "
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
        known |= {MANIFEST: signed.manifest} | ({ENDPOINT: self.endpoint} if self.endpoint else {})
        notes = tuple(_KEPT if n == CREDENTIALS_LEFT_OUT else n for n in activated.notes)
        return (
            dataclasses.replace(item, metadata=known),
            dataclasses.replace(activated, data=signed.data, notes=notes),
        )

    def _source(self, item: Input, activated: Activated) -> bytes:
        source = read_bytes(item.path, limits=self.activator.limits)
        if hashlib.sha256(source).digest() != activated.source_sha256:
            raise PictureError("it changed while it was being activated; give it again")
        return source
