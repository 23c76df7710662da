"""POST /search of a service on loopback, against the library's own search of the same files.

The library reads, describes and looks up a folder in batches on all processors. The service does
the same for pictures that come one a request over several connections; who sends them runs on the
same processors. Then requests arrive at a share of the throughput found: from users who wait for
an answer and pause before they ask again (as load generators like wrk and locust do it), evenly,
or at random (Poisson). Those of the last two are timed from when each was due, so that none is left
out for another's sake; at random even a single server of constant time has 3.3 for p95 over p50
(M/D/1 at 80 % load).
"""

import contextlib
import json
import queue
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _common import (
    compare,
    describe_setup,
    parser,
    picture_paths,
    prepare_process,
    require,
    sizes,
    verdict,
    working_folder,
)

_ASKED_SPEED, _ASKED_TAIL = 0.7, 3.0
_BOUNDARY = "homing-benchmark"


def main() -> int:
    """Run the benchmark."""
    made = parser(__doc__)
    made.add_argument("--pictures", type=int, default=300)
    made.add_argument("--connections", type=int, default=32)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--load", type=float, default=0.8, help="share of the throughput")
    made.add_argument("--seconds", type=float, default=20, help="of each kind of arrivals")
    options = made.parse_args()
    prepare_process(options.threads)
    import homing

    paths = picture_paths(options.photos, options.pictures)
    with working_folder(options.work) as folder:
        if not (folder / "archive").exists():
            homing.create(folder / "archive").add(paths)
        archive = homing.open(folder / "archive")
        archive.warm()
        with serving(folder) as port:
            describe_setup(queries=sizes(paths), connections=options.connections)
            requests = [request_of(path.read_bytes()) for path in paths]

            def ours() -> None:
                seconds = sent(port, requests, options.connections)
                require(len(seconds) == len(requests), "answers are missing")

            def bare() -> None:
                results = list(archive.search_each(paths))
                require(all(each.hits for each in results), "hits are missing")

            result = compare(ours, bare, rounds=options.rounds)
            print(result.line(len(paths), "picture"))
            speed = 1 / result.ratio
            met = verdict("throughput, service over library", speed, at_least=_ASKED_SPEED)
            rate = options.load * len(paths) / statistics.median(result.ours)
            count = round(rate * options.seconds)
            some = [requests[number % len(requests)] for number in range(count)]
            for name, arrivals in _arrivals(rate, count, options.connections).items():
                begun = time.perf_counter()
                times = sent(port, some, **arrivals)
                seen = count / (time.perf_counter() - begun)
                half, most = np.percentile(times, (50, 95))
                print(
                    f"{name}: {seen:.1f} requests a second ({options.load:.0%} of the throughput: "
                    f"{rate:.1f}), p50 {1e3 * half:.1f} ms, p95 {1e3 * most:.1f} ms of {count}"
                )
                met &= verdict(f"p95 over p50, {name}", most / half, at_most=_ASKED_TAIL)
    return 0 if met else 1


def _arrivals(rate: float, count: int, users: int) -> dict[str, dict[str, Any]]:
    """Arguments of :func:`sent` for each kind of arrivals."""
    draw = np.random.default_rng(0)
    pause = users / rate  # an answer takes a small part of it; the longest leaves connections open
    many = {"connections": 4 * users}  # so that none waits for another's answer
    return {
        "users who wait": {
            "connections": users,
            "pauses": draw.uniform(0, 2 * pause, count).tolist(),
        },
        "even arrivals": many | {"due": np.cumsum(np.full(count, 1 / rate)).tolist()},
        "random arrivals": many | {"due": np.cumsum(draw.exponential(1 / rate, count)).tolist()},
    }


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Run the service in a process of its own; its port."""
    command = ["serve", folder / "archive", "--port", "0", "--folder", folder / "served"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "homing", *map(str, command)], stderr=log, cwd=Path.cwd()
        )
    try:
        yield port_in(folder / "log", process)
    finally:
        process.terminate()
        process.wait(30)


def port_in(log: Path, process: "subprocess.Popen[bytes]") -> int:
    """Wait for the service to say where it listens."""
    while process.poll() is None:
        for line in log.read_text().splitlines():
            if "running on" in line:
                return int(json.loads(line)["message"].split(":")[2].split()[0])
        time.sleep(0.1)
    require(False, f"the service ended: {log.read_text()[-500:]}")
    return 0


def request_of(picture: bytes) -> bytes:
    """The bytes of a request, made once: whoever sends them has little to do."""
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="picture"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = head.encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return (
        f"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n\r\n"
    ).encode() + body


def sent(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    *,
    due: Sequence[float] | None = None,
    pauses: Sequence[float] | None = None,
) -> list[float]:
    """Send requests over several connections; seconds of each, from when it was due if that is set.

    Without a time each is sent as soon as a connection is free, after a pause if there is one.
    """
    todo: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    for number in range(len(requests)):
        todo.put(number)
    for _ in range(connections):
        todo.put(None)
    seconds: list[float] = []
    begun = time.perf_counter()

    def work() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (number := todo.get()) is not None:
                if pauses is not None:
                    time.sleep(pauses[number])
                start = time.perf_counter()
                if due is not None:
                    start = begun + due[number]
                    time.sleep(max(0.0, start - time.perf_counter()))
                connection.sendall(requests[number])
                require(answered(connection), "a request failed")
                seconds.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


def answered(connection: socket.socket) -> bool:
    """Read an answer to its end; whether it is a good one."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(1 << 16)
        if not part:
            return False
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(1 << 16)
    return head.startswith(b"HTTP/1.1 200") and b'"hits":[{' in body


if __name__ == "__main__":
    sys.exit(main())
