"""Damaged uploads and random requests: no failure of the service, no file left behind."""

import gc
import io
import random
import warnings

import httpx
import psutil
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks as described_checks

from tests.helpers.service import encoded, picture

EXPECTED = {200, 413, 422}


def seeds():
    image = picture(1, (120, 90))
    files = [encoded(image, kind) for kind in ("JPEG", "PNG", "WEBP")]
    buffer = io.BytesIO()
    image.convert("LA").save(buffer, "PNG")
    files.append(buffer.getvalue())
    buffer = io.BytesIO()
    Image.merge("CMYK", [image.convert("L")] * 4).save(buffer, "JPEG", progressive=True)
    return [*files, buffer.getvalue()]


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Return one of the files, damaged in one to four ways."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(changed)) if draw.random() < 0.5 else draw.randrange(64)
        place = min(place, len(changed) - 1)
        match draw.randrange(6):
            case 0:
                changed[place] ^= 1 << draw.randrange(8)
            case 1:
                changed[place] = draw.choice((0, 0x7F, 0x80, 0xFF))
            case 2:
                del changed[max(16, place) :]
            case 3:
                changed[place:place] = draw.randbytes(draw.randint(1, 40))
            case 4:
                changed[place : place + 4] = draw.choice((b"\0" * 4, b"\xff" * 4, b"\x7f\xff" * 2))
            case 5:
                changed[place : place + 30] = changed[place // 2 : place // 2 + 30]
        changed = changed or bytearray(b"\0" * 16)
    return bytes(changed)


def fuzz(live, count, seed, on_each=lambda number: None):
    """Send damaged pictures to all routes that take one; count the statuses of the answers."""
    draw, files = random.Random(seed), seeds()
    statuses = {}
    for number in range(count):
        data = mutated(draw.choice(files), draw)
        share = draw.random()
        if share < 0.8:
            answer = live.post("/v1/search?views=" + draw.choice(("upright", "all")), data)
        elif share < 0.9:
            answer = live.post("/v1/explain?views=upright", data)
        elif share < 0.95:
            answer = live.post("/v1/search/batch", data, data[:99], field="pictures")
        else:
            answer = live.post("/v1/search?keep=true&confirm=true", data)
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        on_each(number)
    return statuses


def files_of(live):
    return {
        path
        for path in live.settings.folder.rglob("*")
        if path.is_file() and "kept" not in path.parts
    }


def memory():
    """Return the memory of this process, which is the service, and of its children, in bytes."""
    gc.collect()
    process = psutil.Process()
    return sum(p.memory_info().rss for p in (process, *process.children(recursive=True)))


def test_damaged_pictures_cost_their_request_alone(live):
    before = files_of(live)
    statuses = fuzz(live, 40, seed=1)
    assert set(statuses) <= EXPECTED
    assert statuses[422] > 5
    assert statuses[200] > 5
    assert files_of(live) == before
    assert live.post("/v1/search", encoded(picture(1))).json()["hits"][0]["id"] == "sea/1.jpg"


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_ten_thousand_damaged_pictures_leave_nothing_behind(live):
    fuzz(live, 1000, seed=2)
    before, held, handles = files_of(live), memory(), psutil.Process().num_fds()
    seen = []
    statuses = fuzz(
        live, 10_000, seed=3, on_each=lambda n: seen.append(memory()) if n % 1000 == 999 else None
    )
    print(f"statuses {statuses}; MiB held {held >> 20}, then {[each >> 20 for each in seen]}")
    assert set(statuses) <= EXPECTED
    assert files_of(live) == before
    assert psutil.Process().num_fds() <= handles + 5
    # The log is in memory here: half a kilobyte a request.
    assert seen[-1] - held < (40 << 20)


CHECKS = (
    not_a_server_error,
    described_checks.status_code_conformance,
    described_checks.content_type_conformance,
    described_checks.response_schema_conformance,
)


def described(live, examples):
    """Send requests to every described route, with documented parameters and with others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_url(f"{live.url}/openapi.json")
        for result in schema.get_all_operations():
            operation = result.ok()

            @settings(
                max_examples=examples,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
                database=None,
            )
            @given(case=operation.as_strategy())
            def ask(case):
                case.call_and_validate(checks=CHECKS)

            ask()
            yield operation.label


def test_the_description_of_the_api_holds(live):
    operations = list(described(live, 3))
    assert "POST /v1/search" in operations
    assert len(operations) >= 15


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_description_of_the_api_holds_at_length(live):
    assert len(list(described(live, 200))) >= 15


def test_parts_of_requests_are_no_failure(live):
    """A connection that breaks off in the middle leaves the service as it was."""

    def broken():
        yield b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n'
        yield bytes(100_000)
        raise httpx.TransportError("gone")

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    before = files_of(live)
    for _ in range(5):
        with httpx.Client(base_url=live.url) as client, pytest.raises(httpx.TransportError):
            client.post("/v1/search", content=broken(), headers=kind)
    assert live.http.get("/health").status_code == 200
    assert files_of(live) == before
    lines = live.log.getvalue().splitlines()
    assert not [line for line in lines if '"level": "error"' in line]
