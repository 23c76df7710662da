"""Attributes computed when first needed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from homing.lazy import lazy


@dataclass(frozen=True)
class Square:
    side: int
    barrier: threading.Barrier

    @lazy
    def area(self) -> int:
        """Return the area once both threads are here."""
        self.barrier.wait(timeout=10)
        return self.side**2


def test_it_is_computed_once() -> None:
    square = Square(3, threading.Barrier(1))
    assert square.area == 9
    square.barrier.abort()
    assert square.area == 9
    assert Square.area.__doc__ == "Return the area once both threads are here."


def test_threads_do_not_wait_for_each_other() -> None:
    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        areas = pool.map(lambda side: Square(side, barrier).area, (3, 4))
        assert list(areas) == [9, 16]
