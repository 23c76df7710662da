"""The path below which a service is reached, where a reverse proxy serves other things too."""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from homing.errors import UsageError


def refuse_own_addresses(base: str, addresses: Iterable[str]) -> None:
    """Refuse a base path that begins as an address of the service does: it would be ambiguous."""
    first = {address.split("/")[1] for address in addresses}
    if base and base.split("/")[1] in first:
        raise UsageError(f"the service itself has addresses below {base!r}: choose another path")


class BasePath:
    """Middleware that routes requests below a base path, whether or not the proxy strips it."""

    def __init__(self, app: ASGIApp, base: str) -> None:
        self._app, self._base = app, base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "http" and self._base:
            path, raw = scope["path"], scope.get("raw_path") or b""
            if path != self._base and not path.startswith(f"{self._base}/"):
                path, raw = self._base + path, self._base.encode() + raw
            scope = dict(scope, root_path=self._base, path=path, raw_path=raw)
        await self._app(scope, receive, send)
