"""Content Credentials (C2PA): signed manifests in released files, which lead back to them.

``binding``      the soft binding that homing computes: its name, and its value's layout
``stores``       manifest stores as bytes: the manifests that they hold
``credentials``  certificates and key of a publisher
``signing``      manifests written into files, with c2pa-python (extra ``c2pa``)

Only ``signing`` needs c2pa-python; stores are served and bindings read without it.
"""

from homing.c2pa.binding import ALGORITHM, Binding
from homing.c2pa.credentials import ContentCredentials
from homing.c2pa.stores import active_manifest, extract_manifest

__all__ = ["ALGORITHM", "Binding", "ContentCredentials", "active_manifest", "extract_manifest"]
