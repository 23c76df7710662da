"""Shared parts of the benchmarks: process settings, pictures, paired timing, targets."""

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from PIL import Image, ImageOps

from homing.cli.process import share_processors
from homing.images import find_pictures
from homing.workers.memory import keep_freed_memory

MEGABYTE = 2**20

_PACKAGES = ("homing", "torch", "faiss-cpu", "pylance", "pyarrow", "pillow", "numpy", "augly")

# Runs a program and writes its peak resident memory to a file. VmHWM counts this address space
# alone; getrusage of a child includes its parent's memory.
_RUN_MEASURED = """
import atexit, pathlib, re, runpy, sys
peak, program, *sys.argv[1:] = sys.argv[1:]
def write_peak():
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path(peak).write_text(re.search(r"VmHWM:\\s+(\\d+)", status)[1])
atexit.register(write_peak)
if program == "homing":
    sys.argv[0] = program
    from homing.cli import main
    main()
else:
    sys.path[0] = str(pathlib.Path(program).parent)
    runpy.run_path(program, run_name="__main__")
"""


@dataclass(frozen=True)
class Comparison:
    """Times of two ways of doing the same work, run in turn in one process."""

    ours: tuple[float, ...]  # seconds of each round
    bare: tuple[float, ...]  # seconds of each round

    @property
    def ratio(self) -> float:
        """Median of the rounds' ratios, ours over bare."""
        return statistics.median(self.ratios)

    @property
    def ratios(self) -> tuple[float, ...]:
        """Each round's ratio, ours over bare."""
        return tuple(ours / bare for ours, bare in zip(self.ours, self.bare, strict=True))

    def format_line(self, count: int, unit: str) -> str:
        """Format the times of both ways per item, and their ratio with its spread."""
        ours, bare = (1e3 * statistics.median(s) / count for s in (self.ours, self.bare))
        least, most = min(self.ratios), max(self.ratios)
        return (
            f"homing {ours:.3f} ms, bare {bare:.3f} ms a {unit}; "
            f"ratio {self.ratio:.3f} [{least:.3f}, {most:.3f}] over {len(self.ours)} rounds"
        )


def make_parser(description: str, *, photos: bool = True) -> argparse.ArgumentParser:
    """Make a benchmark's argument parser with the options common to all."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    if photos:
        parser.add_argument("photos", type=Path, nargs="+", help="photographs, or folders of them")
    parser.add_argument(
        "--threads", type=int, help="OpenMP threads, for both ways; default: all cores"
    )
    parser.add_argument("--work", type=Path, help="folder for the output; default: a temporary one")
    return parser


def prepare_process(threads: int | None) -> None:
    """Set the process up as the command line does, before torch or faiss is imported."""
    require(
        "torch" not in sys.modules and "faiss" not in sys.modules,
        "torch or faiss is already imported",
    )
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    share_processors()
    keep_freed_memory()


def describe_setup(**more: object) -> None:
    """Print versions, cores, thread settings and the given details of the run."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "absent"
    threads = {
        name: os.environ[name]
        for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
        if name in os.environ
    }
    if "torch" in sys.modules:
        threads["torch"] = sys.modules["torch"].get_num_threads()
    if "faiss" in sys.modules:
        threads["faiss"] = sys.modules["faiss"].omp_get_max_threads()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""
    print(f"machine: {platform.machine()} {_processor()}, {usable} cores{load}")
    print(f"python {platform.python_version()}; {_join_named(versions)}")
    print(f"threads: {_join_named(threads)}")
    for name, value in more.items():
        print(f"{name.replace('_', ' ')}: {value}")
    print(flush=True)


def _join_named(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def require(condition: bool, message: str) -> None:
    """Stop the benchmark if a precondition fails."""
    if not condition:
        _stop(f"precondition failed: {message}")


def _stop(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(3)


def check_target(
    name: str, value: float, *, at_most: float | None = None, at_least: float = 0
) -> bool:
    """Print a figure with its target; return whether the target is met."""
    met = value >= at_least and (at_most is None or value <= at_most)
    target = f"at most {at_most:g}" if at_most is not None else f"at least {at_least:g}"
    print(f"{name}: {value:.3f}, target {target}: {'met' if met else 'NOT MET'}", flush=True)
    return met


def compare(
    ours: Callable[[], object],
    bare: Callable[[], object],
    *,
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Time two functions in turn, alternating which runs first."""
    for _ in range(warm_up):
        ours()
        bare()
    times: dict[Callable[[], object], list[float]] = {ours: [], bare: []}
    for number in range(rounds):
        for function in (ours, bare) if number % 2 == 0 else (bare, ours):
            start = clock()
            function()
            times[function].append(clock() - start)
    return Comparison(tuple(times[ours]), tuple(times[bare]))


def format_mean(values: np.ndarray, seed: int) -> str:
    """Format the mean of `values` (one per picture) with its 95 % bootstrap interval."""
    generator = np.random.default_rng(seed)
    draws = generator.integers(len(values), size=(2000, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def describe_copies(
    descriptor: Any, edit: Any, files: Sequence[Any], *, seed: int, draw: int
) -> np.ndarray:
    """Return descriptors (n, D) of an edited copy of each file (a path or an open file).

    Another `draw` draws the edit anew.
    """
    return descriptor.describe(
        [
            edit.apply(Image.open(file).convert("RGB"), np.random.default_rng([seed, draw, n]))
            for n, file in enumerate(files)
        ]
    )


@contextmanager
def working_folder(requested: Path | None) -> Iterator[Path]:
    """Yield the requested folder, or a temporary one that is removed afterwards."""
    if requested is not None:
        requested.mkdir(parents=True, exist_ok=True)
        yield requested
        return
    folder = Path(tempfile.mkdtemp(prefix="homing-benchmark-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def picture_paths(photos: Sequence[Path], count: int | None) -> list[Path]:
    """List the pictures; if `count` is smaller than their number, take evenly spaced ones."""
    paths = [found.path for found in find_pictures(photos)]
    require(bool(paths), f"there are no pictures in {', '.join(map(str, photos))}")
    if count is None or count >= len(paths):
        return paths
    return [paths[i * len(paths) // count] for i in range(count)]


def make_pictures(
    sources: Sequence[Path], folder: Path, *, count: int, size: tuple[int, int], quality: int = 90
) -> list[Path]:
    """Write JPEG files of one size made from photographs, no two alike.

    Photographs are cropped to the shape and scaled; a portrait gives a portrait. If `count` exceeds
    the number of photographs, they are reused, mirrored every other time and with shifted tones.
    """
    folder.mkdir(parents=True)
    written = []
    for number in range(count):
        with Image.open(sources[number % len(sources)]) as image:
            picture = ImageOps.exif_transpose(image).convert("RGB")
        reuse = number // len(sources)
        shape = size if picture.width >= picture.height else size[::-1]
        fitted = ImageOps.fit(picture, shape, Image.Resampling.LANCZOS)
        if reuse % 2:
            fitted = ImageOps.mirror(fitted)
        if reuse:
            fitted = fitted.point([min(255, v + reuse) for v in range(256)] * 3)
        written.append(folder / f"{number:05}.jpg")
        fitted.save(written[-1], quality=quality)
    return written


def describe_sizes(paths: Sequence[Path]) -> str:
    """Describe the number of pictures and their sizes."""
    megapixels, kilobytes = [], []
    for path in paths:
        with Image.open(path) as picture:
            megapixels.append(picture.width * picture.height / 1e6)
        kilobytes.append(path.stat().st_size / 1024)
    return (
        f"{len(paths)}, {np.mean(megapixels):.3f} megapixels "
        f"[{min(megapixels):.3f}, {max(megapixels):.3f}], {np.mean(kilobytes):.0f} kB on average"
    )


def process_memory() -> dict[str, int]:
    """Return the peak and the current anonymous memory of the process, bytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    peak, anonymous = (int(fields[key].split()[0]) * 1024 for key in ("VmHWM", "RssAnon"))
    return {"peak": peak, "anonymous": anonymous}


def resident_bytes() -> int:
    """Return the current resident memory of the process in bytes (Linux)."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def run_command(program: str, *arguments: object, check: bool = True) -> tuple[float, int, str]:
    """Run ``homing`` or a Python script in a separate process.

    Returns its wall time in seconds (Python's start included), its peak memory in bytes and its
    standard output.
    """
    with tempfile.TemporaryDirectory() as folder:
        peak = Path(folder, "peak")
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _RUN_MEASURED, peak, program, *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - start
        require(
            not check or done.returncode == 0,
            f"{program} {' '.join(map(str, arguments))} ended with {done.returncode}",
        )
        return seconds, 1024 * int(peak.read_text()), done.stdout


def run_child(script: str, *arguments: object) -> dict[str, Any]:
    """Run a part of a benchmark in a fresh process; return its last line, parsed as JSON."""
    _, _, output = run_command(script, *arguments)
    return dict(json.loads(output.splitlines()[-1]))
