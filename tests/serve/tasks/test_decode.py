"""Pictures decoded apart, queries answered together."""

import asyncio
import os
import shutil
import time
from concurrent.futures import wait
from dataclasses import dataclass, replace

import numpy as np
import psutil
import pytest

import homing
from homing.archive import Hit
from homing.archive.query.queries import DescribedQuery
from homing.options import DEFAULT_LIMITS, SearchOptions
from homing.search.views import query_views
from homing.serve.tasks.decode import Compare, Decoders, Look
from homing.serve.tasks.query_batches import Batcher
from tests.helpers.service import encoded, picture


@dataclass(frozen=True)
class Crash:
    def do(self):
        os._exit(11)


@dataclass(frozen=True)
class Hang:
    def do(self):
        time.sleep(60)


@dataclass(frozen=True)
class Swell:
    def do(self):
        return len(np.ones(1 << 30, np.uint8).tobytes())


def test_what_a_picture_does_to_a_decoder_costs_one_request():
    before = children()
    look = Look(encoded(picture(1)), 64, "upright", DEFAULT_LIMITS)

    async def run():
        with Decoders(1, 256 << 20, 1.0) as decoders:
            for bad in (Crash(), Hang(), Swell()):
                start = time.monotonic()
                with pytest.raises(homing.PictureError, match="256 MiB"):
                    await decoders.run(bad)
                assert time.monotonic() - start < 10
                (view,) = await decoders.run(look)
                assert view.name == "upright"
            with pytest.raises(homing.PictureError, match="not a picture"):
                await decoders.run(Look(b"x", 64, "upright", DEFAULT_LIMITS))

    asyncio.run(run())
    assert children() <= before


def test_a_record_that_cannot_be_read_is_told_without_its_place(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    hit = Hit(
        id="sea/ü.jpg",
        similarity=0.9,
        view="upright",
        cell=1,
        code_distance=0.1,
        state="released",
    )
    looked = DescribedQuery(("upright",), np.ones((1, 4), np.float32) / 2)
    place = tmp_path / "broken.jpg"
    task = Compare("0.jpg", encoded(picture(1)), looked, hit, 1, place, DEFAULT_LIMITS)
    told = task.do()
    assert told["reason"].startswith("the record's picture: ")
    assert told["file"] is None
    encoded_in = tmp_path / "whole.jpg"
    encoded_in.write_bytes(encoded(picture(1)))
    assert replace(task, place=encoded_in).do()["file"] == "/files/sea/%C3%BC.jpg"


def children():
    return {
        process.pid
        for process in psutil.Process().children()
        if "spawn_main" in " ".join(process.cmdline())
    }


def test_queries_are_answered_together_as_they_are_alone(empty_archive, tmp_path):
    shutil.copytree(empty_archive, tmp_path / "archive")
    archive = homing.open(tmp_path / "archive")
    files = tmp_path / "files"
    files.mkdir()
    for number in range(12):
        (files / f"{number}.jpg").write_bytes(encoded(picture(number)))
    archive.add(files)
    queries = [encoded(picture(number)) for number in range(12)]
    ways = [SearchOptions(k=2), SearchOptions(k=2, views="turned"), SearchOptions(k=1, probes=3)]
    batches = []
    with Batcher(
        archive.descriptor, archive.answer, most=16, wait=0.05, on_batch=batches.append
    ) as batcher:
        asked = [
            (data, way, batcher.ask(query_views(data, 64, way.views), way))
            for data in queries
            for way in ways
        ]
        nothing = batcher.ask([], SearchOptions())
        wait([future for _, _, future in asked])
        assert nothing.result().hits == ()
        assert len(batcher) == 0
    assert sum(batches) == 37
    assert max(batches) > 1
    for data, way, future in asked:
        alone = archive.search(data, k=way.k, views=way.views, probes=way.probes)
        together = future.result().hits
        assert [hit.id for hit in together] == [hit.id for hit in alone]
        for one, other in zip(together, alone, strict=True):
            assert one.similarity == pytest.approx(other.similarity, abs=1e-5)


def test_a_failure_reaches_all_who_asked(empty_archive):
    archive = homing.open(empty_archive)

    def fails(*_):
        raise homing.ArchiveError("gone")

    with Batcher(archive.descriptor, fails, most=4, wait=0.01) as batcher:
        views = query_views(encoded(picture(1)), 64, "upright")
        futures = [batcher.ask(views, SearchOptions()) for _ in range(3)]
        for future in futures:
            with pytest.raises(homing.ArchiveError, match="gone"):
                future.result(10)
