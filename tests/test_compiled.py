"""Compiled loops."""

from homing.compiled import compiled, compiled_sums


def added(values):
    total = 0.0
    for value in values:
        total += value
    return total


def test_compiled_loops_give_what_python_gives() -> None:
    import numpy as np

    values = np.arange(1000.0)
    assert compiled(added)(values) == added(values) == compiled_sums(added)(values)
