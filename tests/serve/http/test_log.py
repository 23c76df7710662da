"""The log of a service: JSON lines, or plain ones in a terminal."""

import io
import json
import logging

from homing.serve.http.log import Log, _LogHandler

RUNNING = "Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)"


def logged(*, plain: bool) -> list[str]:
    stream = io.StringIO()
    log = Log(stream, plain=plain)
    server = logging.Logger("server")
    server.addHandler(_LogHandler(log))
    server.info("Started server process [1]")
    server.info(RUNNING)
    server.warning("slow")
    log.write("request", method="POST", route="/search", status=200, seconds=0.1234, key=None)
    log.write_error("archive", ValueError("broken"))
    return stream.getvalue().splitlines()


def test_a_terminal_is_told_the_address_in_plain_words(monkeypatch) -> None:
    monkeypatch.delenv("HOMING_DEBUG", raising=False)
    first, warning, request, error = logged(plain=True)
    assert first == (
        "The archive is served at http://127.0.0.1:8000 (open it in a browser). Ctrl-C ends it."
    )
    assert warning == "warning: slow"
    assert request.endswith("  200    0.12 s  POST /search")
    assert error == "error: archive: ValueError: broken"


def test_machines_get_json_lines() -> None:
    lines = [json.loads(line) for line in logged(plain=False)]
    assert [line["event"] for line in lines] == ["server"] * 3 + ["request", "archive"]
    assert lines[1]["message"] == RUNNING
    assert "ValueError" in lines[4]["trace"]
