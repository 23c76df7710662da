"""Variants of pictures, made once for all encoders, and the cache of what came of them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import psutil
import pytest
from PIL import Image

from homing.bench.context import Run
from homing.bench.encode import describe as encoding
from homing.bench.encode.describe import encode
from homing.bench.encode.encoders import descriptor_encoder, hash_encoders
from homing.bench.encode.hashes import hash_of
from homing.bench.encode.variants import Copy, Crop, Task, Whole, cropped, make
from homing.bench.workers import open_workers
from homing.descriptors import descriptor_from_callable, load_descriptor
from homing.edits import PAPER, make_edit
from homing.errors import PictureError, UsageError
from homing.images import read_rgb, read_squashed, squash

HALF = next(edit for edit in PAPER if edit.name == "crop 0.5")
RANDOM = next(edit for edit in PAPER if edit.random)


@pytest.fixture
def files(tmp_path, make_noise):
    for number in range(5):
        make_noise(number).save(tmp_path / f"{number}.png")
    return sorted(tmp_path.glob("*.png"))


@pytest.fixture
def network(network_file):
    return descriptor_encoder(load_descriptor(network_file))


def tasks_of(files, *recipes):
    return [Task(path, path.name, recipes) for path in files]


def test_every_want_is_made_of_the_same_edited_picture(files):
    crop, copy = Crop((1, 2)), Copy(RANDOM, (3, 4))
    made = make(Task(files[0], "0", (Whole(), crop, copy)), (32, 48, "dHash"))
    assert made.reasons == (None, None, None)
    image = read_rgb(files[0])
    edited = RANDOM.apply(image, np.random.default_rng((3, 4)))
    for size in (32, 48):
        assert (made.arrays[size][0] == read_squashed(files[0], size)).all()
        assert (made.arrays[size][1] == squash(cropped(image, crop), size)).all()
        assert (made.arrays[size][2] == squash(edited, size)).all()
    assert (made.arrays["dHash"][2] == hash_of("dHash", edited)).all()
    assert (made.arrays["dHash"][0] == hash_of("dHash", image)).all()


def _fails(image, generator):
    raise PictureError("no such edit")


def test_an_edit_that_raises_is_an_error_and_never_the_unedited_picture(files):
    fails = Copy(make_edit("fails", _fails), ())
    made = make(Task(files[0], "0", (Whole(), fails, Copy(HALF, ()))), (32, "pHash"))
    assert made.reasons == (None, "no such edit", None)
    assert not made.arrays[32][1].any()
    assert not made.arrays["pHash"][1].any()
    assert made.arrays[32][2].any()


def test_a_file_that_cannot_be_read_fails_in_all_its_rows(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    for wants in ((32,), (32, "PDQ")):
        made = make(Task(tmp_path / "broken.jpg", "b", (Whole(), Crop((1,)))), wants)
        assert len(made.reasons) == 2
        assert all(made.reasons)


def test_rows_are_those_of_the_descriptor_and_of_the_hash(
    files, network, workers, silent, tmp_path, monkeypatch
):
    monkeypatch.setattr(encoding, "_SHARD", 2)
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
    monkeypatch.setattr(encoding, "_SHARD", 2)
    tasks, cache = tasks_of(files, Whole(), Crop((7,))), tmp_path / "cache"
    first = encode(tasks, [network], Run(workers, cache, silent), "")
    assert len(workers.asked) == 5
    again = encode(tasks, [network], Run(workers, cache, silent), "")
    assert len(workers.asked) == 5
    assert (again.rows["averages"] == first.rows["averages"]).all()
    # One more encoder: the files are read for it, the network is not asked.
    both = encode(tasks, [network, *hash_encoders()], Run(workers, cache, silent), "")
    assert {wants for _, wants, _ in workers.asked[5:]} == {("pHash", "dHash", "PDQ")}
    assert (both.rows["averages"] == first.rows["averages"]).all()


def test_an_interrupted_run_goes_on_where_it_was(
    files, network, workers, silent, tmp_path, monkeypatch
):
    monkeypatch.setattr(encoding, "_SHARD", 2)
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
    workers.map, workers.asked = ask, []
    found = encode(tasks, [network], Run(workers, cache, silent), "")
    assert len(workers.asked) == 3  # the first two were complete
    assert (found.rows["averages"] == network.finish(
        np.stack([read_squashed(path, 64) for path in files])
    )).all()  # fmt: skip


def test_another_file_recipe_or_descriptor_is_made_anew(
    files, network, workers, silent, tmp_path, make_noise
):
    cache = tmp_path / "cache"

    def asked(tasks, encoder=network):
        workers.asked = []
        encode(tasks, [encoder], Run(workers, cache, silent), "")
        return len(workers.asked)

    assert asked(tasks_of(files, Crop((1,)))) == 5
    assert asked(tasks_of(files, Crop((2,)))) == 5
    assert asked(tasks_of(files, Crop((1,)))) == 0
    other = descriptor_from_callable(
        lambda batch: batch.mean(dim=(2, 3)), name="means", dimension=3, input_size=64
    )
    assert asked(tasks_of(files, Crop((1,))), descriptor_encoder(other)) == 5
    make_noise(99).save(files[0])
    status = files[0].stat()
    os.utime(files[0], ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    assert asked(tasks_of(files, Crop((1,)))) == 5


def test_a_row_is_there_if_every_encoder_has_it(files, network, workers, silent, tmp_path):
    """A black row of the one that failed must not pass for a picture, whichever comes last."""
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
    monkeypatch.setattr(encoding, "_SHARD", 2)
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
    workers.asked = []
    found = encode(tasks, encoders, Run(workers, cache, silent), "")
    assert found.made.all()
    assert len(workers.asked) == 2  # the failed one's shard
    assert (found.rows["averages"][0] == network.finish(read_squashed(files[0], 64)[None])).all()


def test_many_crops_of_one_photograph_are_made_by_and_by(
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
    assert [len(task.recipes) for task, *_ in workers.asked] == [64, 64, 23, 1]
    assert total == [sum(done)] == [152]
    monkeypatch.setattr(encoding, "_MOST", 1000)
    whole = encode(tasks, [network], Run(workers, tmp_path / "other", silent), "")
    assert len(workers.asked) == 4 + 2
    assert found.made.all()
    assert np.abs(found.rows["averages"] - whole.rows["averages"]).max() < 1e-6
    again = encode(tasks, [network], Run(workers, tmp_path / "cache", silent), "")
    assert len(workers.asked) == 4 + 2
    assert (again.rows["averages"] == found.rows["averages"]).all()


def test_no_tasks_give_no_rows(network, workers, silent, tmp_path):
    encoders = [network, *hash_encoders()]
    found = encode([], encoders, Run(workers, tmp_path / "cache", silent), "")
    for encoder in encoders:
        assert encoder.vectors(found.rows[encoder.name]).shape == (0, encoder.dimension)


# ---- processes


def _square(number: int) -> int:
    if number < 0:
        os._exit(1)
    return number * number


def test_processes_answer_in_order_and_an_end_from_outside_is_told():
    with open_workers(2) as workers:
        assert list(workers.map(_square, range(40))) == [n * n for n in range(40)]
        with pytest.raises(UsageError, match="ended from outside"):
            list(workers.map(_square, [-1]))


def test_reading_at_full_size_turns_upright_and_lays_alpha_over_white(tmp_path, make_noise):
    image = make_noise(0, (60, 40))
    exif = Image.Exif()
    exif[274] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    found = read_rgb(tmp_path / "turned.png")
    assert (found.size, found.mode) == ((40, 60), "RGB")
    assert (np.asarray(found) == np.rot90(np.asarray(image), -1)).all()
    Image.new("RGBA", (9, 7), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert read_rgb(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)
    image.resize((2000, 1400)).save(tmp_path / "large.jpg")
    assert read_rgb(tmp_path / "large.jpg").size == (2000, 1400)
    with pytest.raises(PictureError, match="no such file"):
        read_rgb(tmp_path / "missing.png")


def test_no_worker_outlives_a_parent_that_was_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, pathlib, signal, sys\n"
        "from homing.bench.workers import open_workers\n"
        "if __name__ == '__main__':\n"
        "    with open_workers(1) as workers:\n"
        "        list(workers.map(len, [()]))\n"
        "        (child,) = workers._pool._processes\n"
        "        pathlib.Path(sys.argv[1]).write_text(str(child))\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, script, tmp_path / "worker"], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    worker = int((tmp_path / "worker").read_text())
    for _ in range(100):
        if not psutil.pid_exists(worker) or psutil.Process(worker).status() == "zombie":
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker is still there")
