"""POST /v1/search of a service on loopback, against the library's own search of the same files.

The library reads, describes and searches a folder in batches on all processors. The service does
the same for pictures that arrive one a request over several connections; the client runs on the
same processors. Then requests arrive at a share of the measured throughput: from users who wait for
an answer and pause before the next request (a closed loop, as in wrk or locust), evenly, or at
random (Poisson). The latter two are timed from when each request was due, so that a late start
counts as latency (no coordinated omission). With random arrivals even a single server of constant
service time has p95 over p50 of 3.3 (M/D/1 at 80 % load).
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
    check_target,
    compare,
    describe_setup,
    describe_sizes,
    make_parser,
    picture_paths,
    prepare_process,
    require,
    working_folder,
)

_LEAST_SPEED, _MOST_TAIL = 0.7, 3.0
_BOUNDARY = "homing-benchmark"


def main() -> int:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--load", type=float, default=0.8, help="share of the throughput")
    parser.add_argument(
        "--seconds", type=float, default=20, help="duration of each kind of arrivals"
    )
    options = parser.parse_args()
    prepare_process(options.threads)
    import homing

    paths = picture_paths(options.photos, options.pictures)
    with working_folder(options.work) as folder:
        if not (folder / "archive").exists():
            homing.create(folder / "archive").add(paths)
        archive = homing.open(folder / "archive")
        archive.warm()
        with serve(folder) as port:
            describe_setup(queries=describe_sizes(paths), connections=options.connections)
            requests = [make_request(path.read_bytes()) for path in paths]

            def ours() -> None:
                seconds = send_all(port, requests, options.connections)
                require(len(seconds) == len(requests), "answers are missing")

            def bare() -> None:
                results = list(archive.search_each(paths))
                require(all(each.hits for each in results), "hits are missing")

            result = compare(ours, bare, rounds=options.rounds)
            print(result.format_line(len(paths), "picture"))
            speed = 1 / result.ratio
            met = check_target("throughput, service over library", speed, at_least=_LEAST_SPEED)
            rate = options.load * len(paths) / statistics.median(result.ours)
            count = round(rate * options.seconds)
            some = [requests[number % len(requests)] for number in range(count)]
            for name, arrivals in _arrivals(rate, count, options.connections).items():
                begun = time.perf_counter()
                times = send_all(port, some, **arrivals)
                observed = count / (time.perf_counter() - begun)
                p50, p95 = np.percentile(times, (50, 95))
                print(
                    f"{name}: {observed:.1f} requests a second ({options.load:.0%} of the "
                    f"throughput: {rate:.1f}), p50 {1e3 * p50:.1f} ms, "
                    f"p95 {1e3 * p95:.1f} ms of {count}"
                )
                met &= check_target(f"p95 over p50, {name}", p95 / p50, at_most=_MOST_TAIL)
    return 0 if met else 1


def _arrivals(rate: float, count: int, users: int) -> dict[str, dict[str, Any]]:
    """Return the arguments of :func:`send_all` for each kind of arrivals."""
    draw = np.random.default_rng(0)
    pause = users / rate  # an answer takes a small part of it, and connections survive the longest
    many = {"connections": 4 * users}  # so that no request waits for another's answer
    return {
        "users who wait": {
            "connections": users,
            "pauses": draw.uniform(0, 2 * pause, count).tolist(),
        },
        "even arrivals": many | {"due": np.cumsum(np.full(count, 1 / rate)).tolist()},
        "random arrivals": many | {"due": np.cumsum(draw.exponential(1 / rate, count)).tolist()},
    }


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[int]:
    """Run the service in a separate process; yield its port."""
    command = ["serve", folder / "archive", "--no-keys", "--port", "0"]
    command += ["--folder", folder / "served"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "homing", *map(str, command)], stderr=log, cwd=Path.cwd()
        )
    try:
        yield wait_for_port(folder / "log", process)
    finally:
        process.terminate()
        process.wait(30)


def wait_for_port(log: Path, process: "subprocess.Popen[bytes]") -> int:
    """Wait until the service logs its address; return the port."""
    while process.poll() is None:
        for line in log.read_text().splitlines():
            if "running on" in line:
                return int(json.loads(line)["message"].split(":")[2].split()[0])
        time.sleep(0.1)
    require(False, f"the service ended: {log.read_text()[-500:]}")
    return 0


def make_request(picture: bytes) -> bytes:
    """Return the bytes of a request, made beforehand to unburden the client."""
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="picture"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = head.encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return (
        f"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n\r\n"
    ).encode() + body


def send_all(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    *,
    due: Sequence[float] | None = None,
    pauses: Sequence[float] | None = None,
) -> list[float]:
    """Send requests over several connections; return the seconds of each answer.

    With `due` (seconds from now) each request is sent and timed from then. Without it each is sent
    as soon as a connection is free, after its pause if `pauses` is given.
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
                require(read_answer(connection), "a request failed")
                seconds.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


def read_answer(connection: socket.socket) -> bool:
    """Read an answer to its end; return whether it has hits."""
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
