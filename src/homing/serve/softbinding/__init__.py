"""C2PA's Soft Binding Resolution API: a picture without its metadata leads back to its manifest.

``models``    requests and answers, in the names of the specification
``matching``  from a soft binding or a picture to the manifests of entries
``routes``    the routes, under ``/v1`` and ``/.well-known``
"""

from homing.serve.softbinding.routes import ROUTERS

__all__ = ["ROUTERS"]
