"""Rows of variants by all encoders (encoders, rows), and the shards that cache them (shards)."""

import os
from contextlib import contextmanager

import numpy as np
import pytest

from homing.bench.context import Run
from homing.bench.encode import pipeline
from homing.bench.encode.encoders import descriptor_encoder, hash_encoders
from homing.bench.encode.pipeline import encode
from homing.bench.encode.variants import Copy, Crop, Task, Whole
from homing.descriptors import descriptor_from_callable, load_descriptor
from homing.edits import PAPER
from homing.images import read_rgb, read_squashed, squash

HALF = next(edit for edit in PAPER if edit.name == "crop 0.5")


RANDOM = next(edit for edit in PAPER if edit.random)


@pytest.fixture
def network(network_file):
    return descriptor_encoder(load_descriptor(network_file))


def tasks_of(files, *recipes):
    return [Task(path, path.name, recipes) for path in files]


def test_rows_are_those_of_the_descriptor_and_of_the_hash(
    files, network, workers, silent, tmp_path, monkeypatch
):
    monkeypatch.setattr(pipeline, "_SHARD", 2)
    tasks = tasks_of(files, Whole(), Copy(HALF, ()))
    encoders = [network, *hash_encoders()]
    found = encode(tasks, encoders, Run(workers, tmp_path / "cache", silent), "")
    assert found.made.all()
    squares = np.stack(
        [
            square
            for path in files
            for square in (
                read_squashed(path, 64),
                squash(HALF.apply(read_rgb(path), np.random.default_rng()), 64),
            )
        ]
    )
    assert (found.rows["averages"] == network.finish(squares)).all()
    assert found.rows["PDQ"].shape == (10, 32)
    for encoder in encoders:
        vectors = encoder.vectors(found.rows[encoder.name])
        assert vectors.shape == (10, encoder.dimension)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_what_was_made_is_not_made_again(files, network, workers, silent, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "_SHARD", 2)
    tasks, cache = tasks_of(files, Whole(), Crop((7,))), tmp_path / "cache"
    first = encode(tasks, [network], Run(workers, cache, silent), "")
    assert len(workers.received) == 5
    again = encode(tasks, [network], Run(workers, cache, silent), "")
    assert len(workers.received) == 5
    assert (again.rows["averages"] == first.rows["averages"]).all()
    # One more encoder: its files are read, and the network is not run.
    both = encode(tasks, [network, *hash_encoders()], Run(workers, cache, silent), "")
    assert {wants for _, wants, _ in workers.received[5:]} == {("pHash", "dHash", "PDQ")}
    assert (both.rows["averages"] == first.rows["averages"]).all()


def test_an_interrupted_run_goes_on_where_it_was(
    files, network, workers, silent, tmp_path, monkeypatch
):
    monkeypatch.setattr(pipeline, "_SHARD", 2)
    tasks, cache = tasks_of(files, Whole()), tmp_path / "cache"
    ask = workers.map

    def interrupted(function, things):
        for number, made in enumerate(ask(function, things)):
            if number == 3:
                raise KeyboardInterrupt
            yield made

    workers.map = interrupted
    with pytest.raises(KeyboardInterrupt):
        encode(tasks, [network], Run(workers, cache, silent), "")
    workers.map, workers.received = ask, []
    found = encode(tasks, [network], Run(workers, cache, silent), "")
    assert len(workers.received) == 3  # the first two were complete
    assert (found.rows["averages"] == network.finish(
        np.stack([read_squashed(path, 64) for path in files])
    )).all()  # fmt: skip


def test_another_file_recipe_or_descriptor_is_made_anew(
    files, network, workers, silent, tmp_path, make_noise
):
    cache = tmp_path / "cache"

    def count_tasks(tasks, encoder=network):
        workers.received = []
        encode(tasks, [encoder], Run(workers, cache, silent), "")
        return len(workers.received)

    assert count_tasks(tasks_of(files, Crop((1,)))) == 5
    assert count_tasks(tasks_of(files, Crop((2,)))) == 5
    assert count_tasks(tasks_of(files, Crop((1,)))) == 0
    other = descriptor_from_callable(
        lambda batch: batch.mean(dim=(2, 3)), name="means", dimension=3, input_size=64
    )
    assert count_tasks(tasks_of(files, Crop((1,))), descriptor_encoder(other)) == 5
    make_noise(99).save(files[0])
    status = files[0].stat()
    os.utime(files[0], ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    assert count_tasks(tasks_of(files, Crop((1,)))) == 5


def test_a_row_is_present_if_every_encoder_has_it(files, network, workers, silent, tmp_path):
    """The zero row of an encoder that failed must not count as a picture, in either order."""
    tasks, cache = tasks_of(files, Whole(), Crop((7,))), tmp_path / "cache"
    (hashes, *_) = hash_encoders()
    encode(tasks, [network], Run(workers, cache, silent), "")
    content, status = files[2].read_bytes(), files[2].stat()
    files[2].write_bytes(bytes(len(content)))  # for the hash alone, under the same key
    os.utime(files[2], ns=(status.st_atime_ns, status.st_mtime_ns))
    for encoders in ([network, hashes], [hashes, network]):
        found = encode(tasks, encoders, Run(workers, cache, silent), "")
        assert np.flatnonzero(~found.made).tolist() == [4, 5]
        assert found.reasons[4] is not None


def test_what_failed_is_tried_again(files, network, workers, silent, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "_SHARD", 2)
    tasks, cache = tasks_of(files, Whole()), tmp_path / "cache"
    content, status = files[0].read_bytes(), files[0].stat()
    files[0].write_bytes(bytes(len(content)))
    os.utime(files[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    encoders = [network, *hash_encoders()]
    found = encode(tasks, encoders, Run(workers, cache, silent), "")
    assert np.flatnonzero(~found.made).tolist() == [0]
    assert len(found.rows["averages"]) == len(found.rows["PDQ"]) == 5
    files[0].write_bytes(content)
    os.utime(files[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    workers.received = []
    found = encode(tasks, encoders, Run(workers, cache, silent), "")
    assert found.made.all()
    assert len(workers.received) == 2  # the shard of the failed encoder
    assert (found.rows["averages"][0] == network.finish(read_squashed(files[0], 64)[None])).all()


def test_many_crops_of_one_photograph_are_made_in_several_tasks(
    files, network, workers, silent, tmp_path, monkeypatch
):
    crops = [Crop((number,)) for number in range(150)]
    tasks = [*tasks_of(files[:1], Whole(), *crops), *tasks_of(files[1:2], Whole())]
    total, done = [], []

    class Bar:
        by = done.append

    @contextmanager
    def progress(count, title):
        total.append(count)
        yield Bar()

    found = encode(tasks, [network], Run(workers, tmp_path / "cache", progress), "")
    assert [len(task.recipes) for task, *_ in workers.received] == [64, 64, 23, 1]
    assert total == [sum(done)] == [152]
    monkeypatch.setattr(pipeline, "_MOST", 1000)
    whole = encode(tasks, [network], Run(workers, tmp_path / "other", silent), "")
    assert len(workers.received) == 4 + 2
    assert found.made.all()
    assert np.abs(found.rows["averages"] - whole.rows["averages"]).max() < 1e-6
    again = encode(tasks, [network], Run(workers, tmp_path / "cache", silent), "")
    assert len(workers.received) == 4 + 2
    assert (again.rows["averages"] == found.rows["averages"]).all()


def test_no_tasks_give_no_rows(network, workers, silent, tmp_path):
    encoders = [network, *hash_encoders()]
    found = encode([], encoders, Run(workers, tmp_path / "cache", silent), "")
    for encoder in encoders:
        assert encoder.vectors(found.rows[encoder.name]).shape == (0, encoder.dimension)
