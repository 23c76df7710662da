"""The Soft Binding Resolution API against its own description, by requests made up from it."""

import io
import threading
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from PIL import Image

import homing
from homing.serve.app import create_app
from homing.serve.settings import Settings

with warnings.catch_warnings():  # its own parts deprecate each other
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

pytestmark = pytest.mark.slow

EXAMPLES = 60  # of each operation


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, network_file: Path, credentials: Any
) -> Iterator[str]:
    """A service of an archive with one signed release, on loopback."""
    folder = tmp_path_factory.mktemp("described")
    network = homing.load_descriptor(network_file)
    vectors = np.random.default_rng(1).standard_normal((600, 192)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codebook = homing.train_codebook(vectors, "IVF8,PQ8x8", descriptor=network.fingerprint)
    archive = homing.create(folder / "archive", descriptor=network_file, codebook=codebook)
    noise = np.random.default_rng(2).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "picture.png")
    archive.release(
        folder / "picture.png", out=folder / "out", method="robust-fast", c2pa=credentials
    )
    app = create_app(
        Settings(archive=str(folder / "archive"), folder=folder / "serve", workers=1, rate_limit=0)
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://localhost:{port}"
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def described(address: str) -> Any:
    return schemathesis.openapi.from_url(f"{address}/openapi.json").include(
        path_regex=r"^/(v1|\.well-known)/"
    )


@schemathesis.serializer("image/*", "image/png")
def picture(ctx: Any, value: Any) -> bytes:
    """Bytes as they are made up, or a picture with some of them in it."""
    content = value if isinstance(value, bytes) else str(value).encode()
    if len(content) % 2:
        return content
    stream = io.BytesIO()
    Image.frombytes("L", (4, 4), content.ljust(16, b"\7")[:16]).save(stream, "PNG")
    return stream.getvalue()


ROUTES = [
    ("GET", "/v1/matches/byBinding"),
    ("POST", "/v1/matches/byBinding"),
    ("POST", "/v1/matches/byContent"),
    ("GET", "/v1/manifests/{manifestId}"),
    ("GET", "/v1/services/supportedAlgorithms"),
    ("GET", "/v1/services/capabilities"),
    ("GET", "/v1/services/status"),
    ("GET", "/.well-known/c2pa-soft-binding-resolution"),
]


# What makes a value one of our descriptors, or bytes a picture, a schema does not say; and the
# serializer above makes a picture of whatever is wrong with a body.
UNSAID = defaultdict(
    list,
    {
        "/v1/matches/byBinding": [positive_data_acceptance],
        "/v1/matches/byContent": [positive_data_acceptance, negative_data_rejection],
    },
)


def test_all_routes_are_tried(described: Any) -> None:
    found = [each.ok() for each in described.get_all_operations()]
    assert sorted((each.method.upper(), each.path) for each in found) == sorted(ROUTES)


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_answers_are_as_described(described: Any, method: str, path: str, mode: Any) -> None:
    """No failure of the server, and every answer of a documented status, type and form."""
    operation = described[path][method]
    statuses = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def tried(case: Any) -> None:
        answer = case.call_and_validate(excluded_checks=UNSAID[path])
        statuses.add(answer.status_code)

    try:
        tried()
    except Unsatisfiable:  # there is nothing to get wrong
        assert mode == schemathesis.GenerationMode.NEGATIVE
    documented = {int(code) for code in operation.definition.raw["responses"] if code.isdecimal()}
    assert statuses <= documented
