"""A miniature of ``homing bench descriptors`` through the command line.

It covers report/descriptor_report and dataset/ (ground_truth, material, setup).
"""

import csv
import importlib.util
import io
import json
import re
import shutil

import numpy as np
import pytest
import skimage.data
from PIL import Image

from homing.demo.generated import generated_picture
from tests.helpers.bench import run_bench

NAMES = ("astronaut", "coffee", "chelsea", "rocket", "retina", "hubble_deep_field")
EDITS = 15


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Six pictures, a near duplicate of one, one too small for most edits; a background."""
    root = tmp_path_factory.mktemp("pictures")
    photos, others = root / "photos", root / "others"
    photos.mkdir()
    others.mkdir()
    for name in NAMES:
        image = Image.fromarray(getattr(skimage.data, name)())
        image.thumbnail((320, 320))
        image.save(photos / f"{name}.jpg", quality=92)
    coffee = Image.open(photos / "coffee.jpg")
    coffee.crop((10, 8, 310, 205)).save(photos / "coffee again.jpg", quality=80)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)).save(
        photos / "tiny.png"
    )
    for number in range(24):
        image = generated_picture(np.random.default_rng([3, number]))
        image.thumbnail((160, 160))
        image.save(others / f"{number}.png")
    (others / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return photos, others


class Terminal(io.StringIO):
    def isatty(self):
        return True


def bench(*arguments, out=None):
    return run_bench("descriptors", *arguments, out=out)


def arguments(pictures, network_file, out):
    photos, others = pictures
    return (
        photos, "--background", others, "--descriptor", network_file, "--base-size", 60,
        "--random-draws", 2, "--out", out,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(pictures, network_file, tmp_path_factory):
    """One run with every kind of column: its folder, status, output and errors."""
    out = tmp_path_factory.mktemp("bench") / "out"
    return out, *bench(*arguments(pictures, network_file, out))


@pytest.fixture
def run(ran):
    return ran[0]


def test_a_run_from_pictures_to_report(ran):
    run, status, out, err = ran
    assert status == 1  # one file cannot be read
    assert "broken.jpg" in err
    assert "crops" in out
    assert "averages" in out
    assert "PDQ" in out
    assert "mean of 14" in out
    results = json.loads((run / "results.json").read_text())
    assert [column["name"] for column in results["columns"]] == [
        "averages",
        "pHash",
        "dHash",
        "PDQ",
    ]
    base = results["base"]
    assert base["photos"] == 8
    assert base["distractors"] + base["crops"] <= 60
    assert base["distractors"] + base["unmatched"] + base["normalisation"] == 24
    assert base["unreadable"] == 1
    assert results["failures"].keys() == {"broken.jpg"}
    assert results["twins"]["photos"] == 2  # coffee and coffee again, each the other's
    for column in results["columns"]:
        assert len(column["edits"]) == EDITS
        edits = {row["edit"]: row for row in column["edits"]}
        assert edits["identity"]["recall_1"]["mean"] == 1
        assert edits["random"]["queries"] + edits["random"]["errors"] == 16
        assert edits["crop 0.5"]["errors"] == 0
        assert edits["meme"]["errors"] == 1  # of the picture too small for it
        assert edits["meme"]["queries"] == 7
        mean = np.mean([row["recall_1"]["mean"] for row in column["edits"] if row["in_mean"]])
        assert column["mean"]["recall_1"]["mean"] == pytest.approx(mean)
        assert column["mean"]["strict_1"]["mean"] <= column["mean"]["recall_1"]["mean"]
        # Eight copies of two photographs without a match give no rate of one in a thousand.
        assert column["copy_detection"]["others"] == 8
        for scores in ("normalised", "raw"):
            assert column["copy_detection"][scores]["recall_at_false_alarms_1e3"] is None
        assert column["false_matches"]["pairs"] < 10_000
        assert column["false_matches"]["above_1e4"] is None
    text = (run / "results.md").read_text()
    assert "| recall at 1e-3 false alarms a query | – | – | – | – |" in text
    assert "| queries without a match | 8 | 8 | 8 | 8 |" in text
    assert "| one pair in 10,000 is above | – | – | – | – |" in text
    assert text.count("| screenshot (not in the mean) |") == 1


def test_one_row_an_observation(run):
    with (run / "observations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 8 * (EDITS + 1)
    failed = [row for row in rows if row["error"]]
    assert {row["picture"] for row in failed} == {"tiny.png"}
    assert all(row["right"] == "" for row in failed)
    results = json.loads((run / "results.json").read_text())
    for column in results["columns"]:
        for figures in column["edits"]:
            seen = [
                float(row["right"]) for row in rows
                if (row["descriptor"], row["edit"]) == (column["name"], figures["edit"])
                and row["right"]
            ]  # fmt: skip
            assert len(seen) == figures["queries"]
            if figures["edit"] != "random":
                assert np.mean(seen) == pytest.approx(figures["recall_1"]["mean"], abs=1e-5)
    with (run / "copies.csv").open(newline="") as file:
        copies = list(csv.DictReader(file))
    assert {row["has_match"] for row in copies} == {"0", "1"}


def test_again_from_the_cache_and_anew_the_figures_are_the_same(
    pictures, network_file, run, tmp_path
):
    def figures(out):
        values = json.loads((out / "results.json").read_text())
        del values["seconds"]
        return values

    first = figures(run)
    observed = (run / "observations.csv").read_bytes()
    cached = {path: path.stat().st_mtime_ns for path in (run / "cache").glob("*.safetensors")}
    status, out, _ = bench(*arguments(pictures, network_file, run), "--json")
    assert status == 1
    assert figures(run) == first
    assert {p: p.stat().st_mtime_ns for p in (run / "cache").glob("*.safetensors")} == cached
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["edit"] for line in lines[: EDITS + 1]][-1] == "mean of 14"
    assert lines[-1]["twins"] == first["twins"]
    bench(*arguments(pictures, network_file, tmp_path / "anew"))
    assert figures(tmp_path / "anew") == first
    assert (tmp_path / "anew" / "observations.csv").read_bytes() == observed


def test_the_base_is_counted_as_it_was_searched(pictures, network_file, tmp_path):
    """One distractor cannot be read: it and its crops are not in the base."""
    photos, _ = pictures
    others = tmp_path / "others"
    others.mkdir()
    for number in range(10):
        generated_picture(np.random.default_rng([4, number])).save(others / f"{number}.png")
    given = arguments((photos / "rocket.jpg", others), network_file, tmp_path / "out")
    assert bench(*given, "--no-hashes")[0] == 0
    with (tmp_path / "out" / "copies.csv").open(newline="") as file:
        kept_out = {row["picture"] for row in csv.DictReader(file) if row["has_match"] == "0"}
    entries = json.loads((tmp_path / "out" / "results.json").read_text())["base"]
    assert (entries["photos"], entries["distractors"], entries["crops"]) == (1, 8, 52)
    assert (entries["unmatched"], entries["normalisation"], entries["unreadable"]) == (1, 1, 0)
    broken = 0
    for number in range(10):
        if (
            f"{number}.png" not in kept_out and broken < 2
        ):  # at most one belongs to the normalisation
            (others / f"{number}.png").write_bytes(b"\x89PNG no more")
            broken += 1
    assert bench(*given, "--no-hashes")[0] == 1
    fewer = json.loads((tmp_path / "out" / "results.json").read_text())["base"]
    assert fewer["unreadable"] == 2
    assert fewer["unmatched"] == 1
    gone = 8 - fewer["distractors"]
    assert gone + 1 - fewer["normalisation"] == 2
    assert gone >= 1
    # 52 crops of eight photographs: six or seven of each.
    assert 6 * gone <= 52 - fewer["crops"] <= 7 * gone
    note = (tmp_path / "out" / "results.md").read_text().splitlines()[0]
    assert f"Base of {1 + fewer['distractors'] + fewer['crops']}:" in note
    assert "2 files could not be read" in note


@pytest.mark.parametrize("columns", [50, 90, 200])
def test_nothing_of_the_table_is_cut(pictures, network_file, run, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    _, out, _ = bench(*arguments(pictures, network_file, run), out=Terminal())
    table = re.sub("\x1b[^m]*m", "", out[out.index("R@1 [") :])
    assert "…" not in table
    mean = json.loads((run / "results.json").read_text())["columns"][2]["mean"]["recall_1"]
    assert f"{mean['mean']:.3f}" in table
    interval = f"[{mean['low']:.3f}, {mean['high']:.3f}]"
    assert interval in table
    beside = f"{mean['mean']:.3f} {interval}" in table
    assert beside == (columns == 200)  # below it, where there is no room
    assert "recall at 1e-3 false alarms a query" in table


def test_without_hashes_fewer_pictures(pictures, network_file, run, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(run, out)
    status, _, _ = bench(
        *arguments(pictures, network_file, out), "--no-hashes", "--pictures", 3, "--seed", 1
    )
    assert status in (0, 1)
    results = json.loads((out / "results.json").read_text())
    assert [column["name"] for column in results["columns"]] == ["averages"]
    assert results["base"]["photos"] == 3


def test_versions_of_one_descriptor_are_distinguished_by_their_paths(
    pictures, network_file, run, tmp_path
):
    out, other = tmp_path / "out", tmp_path / "other"
    shutil.copytree(run, out)
    shutil.copytree(network_file.parent, other)
    given = (*arguments(pictures, network_file, out), "--descriptor", other / network_file.name)
    assert bench(*given, "--no-hashes", "--pictures", 2)[0] in (0, 1)
    columns = json.loads((out / "results.json").read_text())["columns"]
    assert [each["name"] for each in columns] == [str(network_file), str(other / network_file.name)]


def test_missing_packages_are_reported_in_one_line(pictures, network_file, monkeypatch, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *a: None if name == "imagehash" else find(name, *a),
    )
    status, out, err = bench(*arguments(pictures, network_file, tmp_path / "out"))
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert "imagehash" in err
    assert "pip install '.[bench]' in homing's folder" in err
    assert not (tmp_path / "out").exists()


def test_wrong_use_is_refused(pictures, network_file, tmp_path):
    photos, _ = pictures
    status, _, err = bench(photos, "--background", photos, "--out", tmp_path / "out")
    assert status == 2
    assert "the background has 0 pictures" in err
    status, _, err = bench(
        *arguments(pictures, network_file, tmp_path / "out"), "--descriptor", network_file
    )
    assert status == 2
    assert "same name" in err
    assert bench(photos)[0] == 2  # no background
