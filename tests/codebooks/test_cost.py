"""Costs of a search."""

import pytest

from homing.codebooks.cost import HERE, IN_A_STORE

CELLS = (64, 256, 1024, 4096, 16384, 65536)


@pytest.mark.parametrize(
    ("entries", "cells"),
    [(1e3, 64), (1e5, 256), (1e6, 1024), (1e7, 4096), (1e8, 16384), (1e9, 65536)],
)
def test_more_entries_want_more_cells(entries: float, cells: int) -> None:
    assert min(CELLS, key=lambda each: HERE.of_search(each, entries)) == cells


@pytest.mark.parametrize("entries", [1e5, 1e6, 1e8])
def test_where_a_cell_is_a_request_fewer_are_wanted(entries: float) -> None:
    here, there = (
        min(CELLS, key=lambda each: prices.of_search(each, entries))
        for prices in (HERE, IN_A_STORE)
    )
    assert there <= here


def test_all_cells_are_the_most() -> None:
    assert HERE.of_search(1, 10) == pytest.approx(0.015 + 2 * 10 * 0.009 + 3)
