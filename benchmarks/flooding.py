"""POST /v1/search with a key, while others hold slow connections or send bombs to the service.

Three figures, each beside its target: p95 of searches while slow connections without a key are
held (heads and bodies of which a byte comes each second; what is closed is opened anew), over p95
alone; the longest search beside the bombs of another key; and answers of 5xx to bombs and damaged
files. With ``--measure memory`` the service's memory after many searches, over that after a minute.
Client, attackers and service share the processors.
"""

import contextlib
import multiprocessing
import queue
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
from _bombs import bombs, mutated
from _common import (
    check_target,
    describe_setup,
    make_parser,
    picture_paths,
    prepare_process,
    require,
    working_folder,
)
from serving import make_request, send_all, wait_for_port

_ALL = ("slow", "bombs", "damaged", "memory")
_ROUNDS = 4
_MOST_RATIO, _MOST_SECONDS, _MOST_GROWTH = 2.0, 3.0, 1.2


def main() -> int:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30, help="of each flood")
    parser.add_argument("--slow", type=int, default=500, help="slow connections")
    parser.add_argument("--bombers", type=int, default=8, help="connections that send bombs")
    parser.add_argument("--mutated", type=int, default=1000, help="damaged files sent")
    parser.add_argument("--searches", type=int, default=5000, help="of the measurement of memory")
    parser.add_argument("--measure", nargs="+", choices=_ALL, default=_ALL[:-1])
    options = parser.parse_args()
    prepare_process(options.threads)
    import homing

    paths = picture_paths(options.photos, options.pictures)
    with working_folder(options.work) as folder:
        if not (folder / "archive").exists():
            homing.create(folder / "archive").add(paths)
        with _serve(folder) as service:
            describe_setup(slow=options.slow, bombers=options.bombers)
            requests = [with_key(make_request(path.read_bytes()), service.key) for path in paths]
            _searches(service, requests, 3)  # the first one loads the network
            measures: dict[str, Callable[[], bool]] = {
                "slow": lambda: _slow(service, requests, options.slow, options.seconds),
                "bombs": lambda: _bombs(service, requests, options.bombers, options.seconds),
                "damaged": lambda: _damaged(service, paths, options.mutated),
                "memory": lambda: _memory(service, requests, options.searches),
            }
            met = [measures[name]() for name in options.measure]
    return 0 if all(met) else 1


@dataclass(frozen=True)
class _Service:
    port: int
    key: str
    other_key: str
    process: int


@contextlib.contextmanager
def _serve(folder: Path) -> Iterator[_Service]:
    """Run the service in a separate process, with two keys."""
    from homing.serve.access.keys import READ, KeyRing

    served = folder / f"served-{time.time_ns()}"
    keys = [KeyRing(served).add(name, READ)[1] for name in ("honest", "other")]
    command = ["serve", folder / "archive", "--port", 0, "--folder", served, "--rate-limit", 0]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "homing", *map(str, command)], stderr=log)
    try:
        yield _Service(wait_for_port(folder / "log", process), keys[0], keys[1], process.pid)
    finally:
        process.terminate()
        process.wait(60)


def with_key(request: bytes, key: str) -> bytes:
    """Return a request with a key."""
    head = f"Host: localhost\r\nAuthorization: Bearer {key}".encode()
    return request.replace(b"Host: localhost", head, 1)


def _searches(service: _Service, requests: Sequence[bytes], seconds: float) -> list[float]:
    """Search for so long, as two users do who pause between; return the seconds of each."""
    times: list[float] = []
    draw = random.Random(0)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        some = [requests[draw.randrange(len(requests))] for _ in range(8)]
        pauses = [draw.uniform(0, 0.2) for _ in some]
        times += send_all(service.port, some, 2, pauses=pauses)
    return times


@contextlib.contextmanager
def _attack(attack: Callable[..., None], *given: object) -> Iterator[None]:
    """Run an attack in a process of its own meanwhile."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=attack, args=(ready, *given), daemon=True)
    process.start()
    try:
        require(ready.wait(120), "the attack does not begin")
        yield
        require(process.is_alive(), "the attack ended")
    finally:
        process.kill()
        process.join()


def _slow(service: _Service, requests: Sequence[bytes], count: int, seconds: float) -> bool:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):  # in turn, since a machine is busy with other things now and then
        times[0].extend(_searches(service, requests, seconds / _ROUNDS))
        with _attack(hold_slow, service.port, count):
            times[1].extend(_searches(service, requests, seconds / _ROUNDS))
    alone, beside = (np.percentile(each, 95) for each in times)
    print(f"p95 alone {1e3 * alone:.1f} ms, beside {count} slow connections {1e3 * beside:.1f} ms")
    ratio = float(beside / alone)
    return check_target("p95 beside slow connections over alone", ratio, at_most=_MOST_RATIO)


def hold_slow(ready: Event, port: int, count: int) -> None:
    """Hold connections without a key, of which each sends a byte a second."""
    heads = [b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nX-Slow: "]
    for path in (b"/v1/search", b"/sign-in", b"/v1/releases", b"/v1/matches/byContent"):
        head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n"
        heads.append(head + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n")
    held: dict[int, socket.socket] = {}
    while True:
        begun = time.monotonic()
        for number in range(count):
            try:
                if number not in held:
                    held[number] = socket.create_connection(("127.0.0.1", port), timeout=5)
                    held[number].sendall(heads[number % len(heads)])
                    held[number].setblocking(False)
                held[number].send(b"x")
            except OSError:
                if number in held:
                    held.pop(number).close()
            time.sleep(max(0.0, begun + number / count - time.monotonic()))
        ready.set()


def _bombs(service: _Service, requests: Sequence[bytes], count: int, seconds: float) -> bool:
    with _attack(send_bombs, service.port, service.other_key, count):
        times = _searches(service, requests, seconds)
    p95, worst = np.percentile(times, (95, 100))
    print(f"beside bombs of another key: p95 {1e3 * p95:.0f} ms of {len(times)} searches")
    return check_target("longest search, seconds", float(worst), at_most=_MOST_SECONDS)


def send_bombs(ready: Event, port: int, key: str, count: int) -> None:
    """Send bombs over several connections without end."""
    todo: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    requests = [with_key(make_request(data), key) for _, data in bombs()]

    def work() -> None:
        while True:
            request = todo.get()
            todo.put(request)
            with contextlib.suppress(OSError):
                _send(port, request)

    for request in requests:
        todo.put(request)
    for _ in range(count):
        threading.Thread(target=work, daemon=True).start()
    ready.set()
    threading.Event().wait()


def _send(port: int, request: bytes) -> int:
    """Send a request on a connection of its own; return the status of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(request)
        return int(connection.recv(1 << 16).split(b" ", 2)[1])


def _damaged(service: _Service, paths: Sequence[Path], count: int) -> bool:
    draw = random.Random(0)
    statuses: Counter[int] = Counter()
    longest = 0.0
    for name, data in bombs():
        begun = time.monotonic()
        status = _send(service.port, with_key(make_request(data), service.other_key))
        statuses[status] += 1
        longest = max(longest, time.monotonic() - begun)
        if status >= 500:
            print(f"{name}: {status}")
    print(f"bombs: {sum(statuses.values())}, the longest took {longest:.2f} s")
    files = [path.read_bytes() for path in paths[:20]]
    for _ in range(count):
        data = mutated(files[draw.randrange(len(files))], draw)
        statuses[_send(service.port, with_key(make_request(data), service.other_key))] += 1
    print(f"statuses of bombs and {count} damaged files: {dict(statuses)}")
    failures = sum(number for status, number in statuses.items() if status >= 500)
    return check_target("answers of 5xx", failures, at_most=0)


def _memory(service: _Service, requests: Sequence[bytes], count: int) -> bool:
    """Search over eight connections; compare the memory at the end with that after a minute."""
    early, begun, done = 0, time.monotonic(), 0
    while done < count:
        some = [requests[(done + number) % len(requests)] for number in range(200)]
        done += len(send_all(service.port, some, 8))
        if not early and time.monotonic() - begun > 60:
            early = _resident(service.process)
            print(f"after a minute and {done} searches: {early >> 20} MiB", flush=True)
    late, minutes = _resident(service.process), (time.monotonic() - begun) / 60
    require(early > 0, "all searches took less than a minute")
    print(f"after {minutes:.0f} minutes and {done} searches: {late >> 20} MiB")
    return check_target("memory at the end over that", late / early, at_most=_MOST_GROWTH)


def _resident(process: int) -> int:
    """Return the resident bytes of a process and its children."""
    import psutil

    root = psutil.Process(process)
    return sum(each.memory_info().rss for each in (root, *root.children(recursive=True)))


if __name__ == "__main__":
    sys.exit(main())
