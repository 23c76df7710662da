"""A server that Lance's client for ``gs://`` can work with.

Google's XML interface, which that client speaks, is S3's but for some headers. Emulators of
Google's store do not take it: fake-gcs-server answers uploads with "invalid uploadType", and where
it takes them knows no precondition; gcp-storage-emulator lists nothing. So Moto's S3 answers, with
those headers translated. That proves that archives work through Lance's client for ``gs://``, and
nothing about Google itself.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

Environment = dict[str, Any]
Application = Callable[[Environment, Any], Any]

_AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
    "Signature=0"  # Moto checks no signature
)


class _Translated:
    """Translates Google's headers to S3's; refuses unknown ones instead of ignoring them."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.requests: set[str] = set()

    def __call__(self, environ: Environment, start: Any) -> Any:
        environ["HTTP_AUTHORIZATION"] = _AUTHORIZATION  # for an empty bearer
        given = {name for name in environ if name.startswith("HTTP_X_GOOG_")}
        self.requests |= {f"{environ['REQUEST_METHOD']} {name}" for name in ("", *given)}
        generation = environ.pop("HTTP_X_GOOG_IF_GENERATION_MATCH", None)
        if generation == "0":  # write only if there is no such object
            environ["HTTP_IF_NONE_MATCH"] = "*"
        source = environ.pop("HTTP_X_GOOG_COPY_SOURCE", None)
        if source is not None:
            environ["HTTP_X_AMZ_COPY_SOURCE"] = source
        left = [name for name in environ if name.startswith("HTTP_X_GOOG_")]
        if left or generation not in (None, "0"):
            start("501 Not Implemented", [("Content-Type", "text/plain")])
            return [f"{left} {generation}".encode()]
        return self._application(environ, start)


@contextlib.contextmanager
def google_server() -> Iterator[tuple[str, set[str]]]:
    """Serve on this machine; yield the address, and the set of requests so far."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    application = _Translated(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", application.requests
    finally:
        server.shutdown()
        thread.join()
