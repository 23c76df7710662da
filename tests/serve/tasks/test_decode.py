"""Decoding of pictures in bounded processes (tasks.decode, and bounds of tasks.processes)."""

import asyncio
import os
import time
from functools import partial

import numpy as np
import psutil
import pytest

import homing
from homing.archive import Hit
from homing.archive.query.queries import DescribedQuery
from homing.options import DEFAULT_LIMITS
from homing.search.views import query_views
from homing.serve.tasks.decode import Decoders, compare
from tests.helpers.service import encoded, picture


def crash():
    os._exit(11)


def hang():
    time.sleep(60)


def swell():
    return len(np.ones(1 << 30, np.uint8).tobytes())


def test_what_a_picture_does_to_a_decoder_costs_one_request():
    before = children()
    task = partial(query_views, encoded(picture(1)), 64, "upright", limits=DEFAULT_LIMITS)

    async def run():
        with Decoders(1, 256 << 20, 1.0) as decoders:
            for bad in (crash, hang, swell):
                start = time.monotonic()
                with pytest.raises(homing.PictureError, match="256 MiB"):
                    await decoders.run(bad)
                assert time.monotonic() - start < 40  # of the 60; with a new process
                (view,) = await decoders.run(task)
                assert view.name == "upright"
            with pytest.raises(homing.PictureError, match="not a picture"):
                await decoders.run(partial(query_views, b"x", 64, "upright", limits=DEFAULT_LIMITS))

    asyncio.run(run())
    assert children() <= before


def test_a_record_that_cannot_be_read_is_reported_without_its_place(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    hit = Hit(
        id="sea/ü.jpg",
        similarity=0.9,
        view="upright",
        cell=1,
        code_distance=0.1,
        state="released",
    )
    query = DescribedQuery(("upright",), np.ones((1, 4), np.float32) / 2)
    from homing.archive.hits import Hits, RecordedPicture

    hits = Hits([hit], recorded={hit.id: RecordedPicture(None, b"", b"", 96, 72)})
    broken, whole = tmp_path / "broken.jpg", tmp_path / "whole.jpg"
    whole.write_bytes(encoded(picture(1)))
    answer = compare("0.jpg", encoded(picture(1)), query, hits, broken, 1, DEFAULT_LIMITS)
    assert answer["reason"].startswith("not compared: ")
    assert str(tmp_path) not in answer["reason"]
    answer = compare("0.jpg", encoded(picture(1)), query, hits, whole, 1, DEFAULT_LIMITS)
    assert answer["reason"] is None
    assert set(answer["figures"]) >= {"query", "entry"}


def children():
    return {
        process.pid
        for process in psutil.Process().children()
        if "spawn_main" in " ".join(process.cmdline())
    }
