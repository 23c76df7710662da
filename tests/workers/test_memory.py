"""The allocator's setting: freed buffers are reused, and not faulted in again."""

import subprocess
import sys

import pytest

FAULTS = """
import resource
import sys
from homing.workers.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def work():
    [bytearray(b"x") * (16 << 20) for _ in range(8)]
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(what: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, what], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_buffers_are_reused() -> None:
    assert faults("keep") < 1000 < faults("default")
