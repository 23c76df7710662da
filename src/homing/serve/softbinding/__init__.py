"""C2PA's Soft Binding Resolution API: a picture without its metadata leads back to its manifest."""

from homing.serve.softbinding.routes import ROUTERS

__all__ = ["ROUTERS"]
