"""A small reverse proxy that serves an application below a path, beside others."""

import threading
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_OF_A_CONNECTION = {"connection", "transfer-encoding", "content-length", "host"}


class ReverseProxy:
    """Passes requests below a path on to a service, while the context lasts.

    `strip` removes the path first, as Caddy's handle_path does; all other paths answer 404.
    """

    def __init__(self, service: str, path: str, *, strip: bool) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_any(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path.split("?")[0] != path and not self.path.startswith(f"{path}/"):
                    self.reply(404, [], b"another application")
                    return
                target = (self.path.removeprefix(path) or "/") if strip else self.path
                headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
                headers["X-Forwarded-For"] = self.client_address[0]
                headers["X-Forwarded-Proto"] = "http"
                headers["X-Forwarded-Host"] = self.headers["Host"]
                headers["Host"] = urlsplit(service).netloc
                there = HTTPConnection(urlsplit(service).netloc, timeout=60)
                there.request(self.command, target, sent, headers)
                answer = there.getresponse()
                data = answer.read()
                kept = [h for h in answer.getheaders() if h[0].lower() not in _OF_A_CONNECTION]
                self.reply(answer.status, kept, data)
                there.close()

            def reply(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                if status not in (204, 304):
                    self.send_header("Content-Length", str(len(data)))
                with suppress(BrokenPipeError):  # the client no longer waits
                    self.end_headers()
                    self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

            do_GET = do_POST = do_PATCH = do_DELETE = do_any

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}{path}"

    def __enter__(self) -> "ReverseProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
