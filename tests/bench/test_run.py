"""A miniature of ``homing bench`` through the command line, from pictures to the report.

It covers costs, extra and sample_study, measure/ (detection, index_results), all of states/, the
answers of questions/ and, of report/, all but descriptor_report.
"""

import csv
import json
import math
import re
import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from homing.bench.questions import QUESTIONS
from homing.demo.generated import generated_picture
from homing.images import decode_pixels, psnr
from tests.helpers.bench import run_bench

# One run of every step takes a minute of an idle processor, and longer beside other work.
pytestmark = pytest.mark.timeout(900)

PHOTOS, EDITS, DRAWS = 6, 15, 2


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Six pictures and a file that is none; twenty-four background pictures."""
    root = tmp_path_factory.mktemp("pictures")
    for folder, count, seed in (("photos", PHOTOS, 1), ("others", 24, 2)):
        (root / folder).mkdir()
        for number in range(count):
            image = generated_picture(np.random.default_rng([seed, number]))
            image.thumbnail((200, 200))
            image.save(root / folder / f"{folder[0]}{number}.png")
    (root / "photos" / "broken.png").write_bytes(b"\x89PNG no more")
    return root / "photos", root / "others"


def arguments(pictures, network_file, out):
    photos, others = pictures
    return (
        photos, "--background", others, "--descriptor", network_file, "--base-size", 320,
        "--index", "IVF4,PQ8", "--method", "paper", "--random-draws", DRAWS, "--sample", 4,
        "--out", out,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(pictures, network_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("bench") / "out"
    return out, *run_bench(*arguments(pictures, network_file, out))


@pytest.fixture(scope="module")
def results(ran):
    return json.loads((ran[0] / "results.json").read_text())


def mean(searches, name, measure="recall_1"):
    (found,) = [each for each in searches["searches"] if each["search"] == name]
    return found["mean"][measure]["mean"]


def test_from_pictures_to_figures(ran, results):
    _, status, out, err = ran
    assert status == 1  # one file cannot be read
    assert "broken.png" in err
    assert results["failures"].keys() == {"broken.png"}
    assert (results["asked"]["psnr"], results["asked"]["kind"]) == (42.0, "PNG")
    assert "format" not in results["asked"]
    assert results["base"]["photos"] == PHOTOS
    assert results["base"]["distractors"] + results["base"]["crops"] == 320
    (index,) = results["indexes"]
    assert (index["factory"], index["cells"], index["code_bytes"]) == ("IVF4,PQ8x8", 4, 8)
    assert "trained here, on the 320 distractors" in index["origin"]
    assert [state["method"] for state in index["states"]] == ["passive", "paper"]
    for state in index["states"]:
        names = [search["search"] for search in state["searches"]]
        # One in 64 but at least four is all four, and so are sixteen.
        assert names == [
            "1 probe", "1 probe, re-ranked", "4 probes (automatic)",
            "4 probes (automatic), re-ranked", "near cells, re-ranked",
        ]  # fmt: skip
        visited = [search["cells_visited"] for search in state["searches"]]
        assert visited[:4] == [1, 1, 4, 4]
        assert 1 <= visited[4] <= 4
        for search in state["searches"]:
            assert len(search["edits"]) == EDITS
            for row in search["edits"]:
                draws = DRAWS if row["edit"] == "random" else 1
                assert row["queries"] + row["errors"] == PHOTOS * draws
                values = [row[k]["mean"] for k in ("recall_1", "recall_10", "recall_100")]
                assert values == sorted(values)
        counted = [row for row in search["edits"] if row["in_mean"]]
        assert len(counted) == 14
        assert "screenshot" not in [row["edit"] for row in counted]
        by_hand = np.mean([row["recall_1"]["mean"] for row in counted])
        assert search["mean"]["recall_1"]["mean"] == pytest.approx(by_hand)
    assert "index IVF4,PQ8x8" in out
    assert "mean of 14" in out


def test_where_all_cells_are_visited_only_the_codes_lose(results):
    """All 64 candidates re-ranked of all cells can be no better than exact search, and no cell is
    ever left by the picture itself."""
    (index,) = results["indexes"]
    for state, exact in zip(index["states"], index["exact"], strict=True):
        assert mean(state, "4 probes (automatic), re-ranked") <= mean(exact, "exact") + 1e-9
        assert mean(state, "1 probe") <= mean(state, "1 probe", "recall_10")
        (search,) = exact["searches"]
        identity = next(row for row in search["edits"] if row["edit"] == "identity")
        assert identity["recall_1"]["mean"] == 1
        one = next(s for s in state["searches"] if s["search"] == "1 probe, re-ranked")
        same = next(row for row in one["edits"] if row["edit"] == "identity")
        assert same["in_cell"]["mean"] == 1
        assert same["recall_1"]["mean"] == 1


def test_share_of_the_loss_won_back(results):
    (index,) = results["indexes"]
    passive, active = index["states"]
    before, after = (mean(s, "1 probe, re-ranked") for s in (passive, active))
    best = mean(index["exact"][0], "exact")
    (gain,) = index["gains"]
    if best > before:
        assert gain["share_closed"]["mean"] == pytest.approx((after - before) / (best - before))
    else:
        assert gain["share_closed"]["mean"] is None


def test_files_keep_the_budget_and_are_measured_as_written(ran, results, pictures):
    out = ran[0]
    (index,) = results["indexes"]
    files = index["files"]["paper"]
    assert files["count"] == PHOTOS
    assert files["psnr"]["least"] >= 42
    assert files["ssimulacra2"]["least"] <= files["ssimulacra2"]["mean"] < 100
    assert 0 < files["delta_e"]["mean"] < 5
    assert files["bytes_over_source"]["least"] > 0
    assert set(files) >= {"psnr", "ssim", "largest_change", "flip"}
    with (out / "files.csv").open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert len(rows) == PHOTOS
    seen = 0
    for record in (out / "released").glob("*/*.json"):
        values = json.loads(record.read_text())
        if values["file"] not in rows:
            continue
        source, file = (
            decode_pixels(path.read_bytes())
            for path in (pictures[0] / values["source"], record.parent / values["file"])
        )
        if values["psnr"] == float(rows[values["file"]]["psnr"]):
            assert psnr(source, file, peak=255) == pytest.approx(values["psnr"])
            largest = np.abs(source.astype(int) - file).max()
            assert values["largest"] == largest
            seen += 1
    assert seen >= PHOTOS


def test_one_row_an_observation(ran, results):
    with (ran[0] / "observations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (index,) = results["indexes"]
    for state in index["states"]:
        for search in state["searches"]:
            for figures in search["edits"]:
                seen = [
                    row for row in rows
                    if (row["index"], row["method"], row["search"], row["edit"])
                    == (index["name"], state["method"], search["search"], figures["edit"])
                ]  # fmt: skip
                assert len(seen) == figures["queries"]
                right = [float(row["right"]) for row in seen]
                if figures["edit"] != "random":
                    assert np.mean(right) == pytest.approx(figures["recall_1"]["mean"], abs=1e-5)
                    cells = [float(row["in_cell"]) for row in seen]
                    assert np.mean(cells) == pytest.approx(figures["in_cell"]["mean"])
    failed = [row for row in rows if row["error"]]
    assert {row["picture"] for row in failed} == {"broken.png"}
    with (ran[0] / "figures.csv").open(newline="") as file:
        figures = list(csv.DictReader(file))
    searches = 2 * 5 + 2 + 3  # two states by five searches, both states exactly, three hashes
    assert len(figures) == searches * (EDITS + 1)


def test_copy_detection_in_both_states(results):
    (index,) = results["indexes"]
    found = {(each["method"], each["search"]): each for each in index["copy_detection"]}
    assert found.keys() == {
        (method, search) for method in ("passive", "paper")
        for search in ("exact", "1 probe, re-ranked")
    }  # fmt: skip
    for each in found.values():
        assert each["copies"] == PHOTOS
        assert each["others"] == 8  # four copies of each of two pictures
        assert 0 <= each["normalised"]["micro_average_precision"]["mean"] <= 1


def test_hashes_stand_beside(results):
    assert [each["index"] for each in results["hashes"]] == ["pHash", "dHash", "PDQ"]
    for each in results["hashes"]:
        assert each["method"] == "passive"
        assert 0 < mean(each, "exact") <= 1


def test_costs(results):
    assert "Costs and questions are of paper, the method named first." in results["notes"]
    points = results["pareto"]
    # 192 numbers make 8, 16 and, rotated, 16 bytes; 64 signs make eight.
    bytes_of = {point["index"]: point["code_bytes"] for point in points}
    assert bytes_of == {
        "IVF4,Flat": 768, "IVF4,PQ8x8": 8, "IVF4,PQ16x8": 16, "OPQ16,IVF4,PQ16x8": 16,
        "PCA64,LSH": 8,
    }  # fmt: skip
    for point in points:
        assert point["milliseconds"] > 0
        assert point["ranked_bytes"] == (384 if point["ranked"] else 0)
        assert 0 <= point["recall"]["mean"] <= 1
    flat = [p for p in points if p["index"] == "IVF4,Flat"]
    assert {p["probes"] for p in flat if p["setting"] != "near cells, re-ranked"} == {1, 2, 4}
    assert all(1 <= p["probes"] <= 4 for p in flat)
    assert {p["probes"] for p in points if p["index"] == "PCA64,LSH"} == {0}
    for index in bytes_of:
        for method in ("passive", "paper"):
            some = [p for p in points if (p["index"], p["method"]) == (index, method)]
            best = max(p["recall"]["mean"] for p in some if p["ranked"])
            assert best >= max(p["recall"]["mean"] for p in some if not p["ranked"]) - 0.1


def test_what_the_paper_left_open(results):
    answers = {each["name"]: each for each in results["questions"]}
    assert list(answers) == list(QUESTIONS)
    for answer in answers.values():
        labels = [line["label"] for line in answer["lines"]]
        assert len(set(labels)) == len(labels) > 1
        for line in answer["lines"]:
            for name in ("1 probe", "automatic probes", "in their cell"):
                assert 0 <= line["figures"][name]["mean"] <= 1

    def line(question, label):
        (found,) = [e for e in answers[question]["lines"] if e["label"] == label]
        return {name: value["mean"] for name, value in found["figures"].items()}

    # Runs and questions agree where they measure the same.
    (index,) = results["indexes"]
    whole = mean(index["states"][1], "1 probe, re-ranked")
    assert line("foreign", "IVF4,PQ8x8: activated for it")["1 probe"] == pytest.approx(whole)
    assert line("density", "base untouched: activated pictures")["1 probe"] == pytest.approx(whole)
    decibels = [line("budgets", f"{n} dB")["PSNR, dB [least, most]"] for n in (38, 42, 46, 50, 54)]
    for found, budget in zip(decibels, (38, 42, 46, 50, 54), strict=True):
        assert budget <= found < budget + 1
    saved = [
        line("lossy", name)["PSNR, dB [least, most]"]
        for name in ("as released", "JPEG 95", "JPEG 90", "JPEG 75")
    ]
    assert saved == sorted(saved, reverse=True)
    bare, twice, moved = (
        line("rivals", label)
        for label in ("untouched", "untouched, each entry in 2 cells", "activated")
    )
    assert bare["in their cell"] <= twice["in their cell"]  # the first of the two is the same
    assert twice["in their cell"] > 0.5
    assert moved["1 probe"] == pytest.approx(whole)
    again = line("adversary", "activated, then activated for the next cell")
    assert 0 <= again["files that left their cell"] <= 1
    assert again["in their cell"] <= line("adversary", "activated, washed")["in their cell"] + 1


def test_the_report_needs_nothing_besides_itself(ran, results):
    page = (ran[0] / "report.html").read_text()
    assert "<script" not in page
    sources = re.findall(r'src="([^"]{0,30})', page)
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert "://" not in re.sub(r"data:image/[^\"]*", "", page)
    (index,) = results["indexes"]
    value = mean(index["states"][1], "1 probe, re-ranked")
    assert f"{value:.3f} [" in page
    assert "copies of" in page
    for name in (*QUESTIONS, "edits", "precision-recall", "pareto-time", "pareto-bytes", "quality"):
        ET.parse(ran[0] / "plots" / f"{name}.svg")
        with Image.open(ran[0] / "plots" / f"{name}.png") as image:
            assert image.width > 1000


def test_a_second_run_from_the_cache_gives_the_same_figures(ran, results, pictures, network_file):
    out = ran[0]
    cached = {
        path: path.stat().st_mtime_ns
        for path in [*out.glob("cache/*.safetensors"), *out.glob("released/*/*")]
    }
    observed = (out / "observations.csv").read_bytes()
    status, text, _ = run_bench(*arguments(pictures, network_file, out), "--json")
    assert status == 1
    again = json.loads((out / "results.json").read_text())
    for values in (again, results):
        for point in values["pareto"]:
            point["milliseconds"] = None
        values["seconds"] = None
    assert again == results
    assert (out / "observations.csv").read_bytes() == observed
    assert {path: path.stat().st_mtime_ns for path in cached} == cached
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[-1]["base"] == results["base"]
    assert not any(isinstance(v, float) and math.isnan(v) for v in lines[0].values())


@pytest.mark.slow
def test_sweeps_and_own_kind(pictures, network_file, tmp_path):
    """Two pictures at several strengths, released in their own format; no costs, no hashes."""
    given = [*arguments(pictures, network_file, tmp_path / "out"), "--suite", "sweep"]
    status, out, _ = run_bench(
        *given, "--pictures", 2, "--sample", 0, "--no-hashes", "--format", "own", "--seed", 3
    )
    assert status in (0, 1)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    (index,) = results["indexes"]
    assert index["copy_detection"] == []  # no edit is random
    assert results["pareto"] == []
    assert results["hashes"] == []
    assert len(index["states"][0]["searches"][0]["edits"]) == 105
    assert "mean of 105" in out
    ET.parse(tmp_path / "out" / "plots" / "sweeps.svg")


def test_wrong_use_is_refused(pictures, network_file, tmp_path):
    photos, others = pictures
    given = arguments(pictures, network_file, tmp_path / "out")
    status, _, err = run_bench(*given, "--method", "paper,nonsense")
    assert status == 2
    assert "nonsense" in err
    status, _, err = run_bench(*given, "--index", "IVF4,PQ8x8")
    assert status == 2
    assert "the same" in err
    early = tmp_path / "early"
    for wrong in ("IVF4,PQ7", "IVF9x"):  # before anything is described
        status, _, err = run_bench(*arguments(pictures, network_file, early), "--index", wrong)
        assert status == 2
        assert wrong.removeprefix("IVF4,") in err
        assert not (early / "cache").exists()
    assert run_bench(photos)[0] == 2  # no background
    status, _, err = run_bench(photos, "--background", others, "--suite", "none")
    assert status == 2
    assert "Usage: homing bench [OPTIONS] PHOTOS" in err
    assert "Usage: homing bench descriptors" in run_bench("descriptors", "--help")[1]


@pytest.mark.slow
def test_another_method_or_budget_is_released_anew(ran, pictures, network_file, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(ran[0], out)
    before = {path.name for path in (out / "released").iterdir()}
    given = arguments(pictures, network_file, out)
    status, _, _ = run_bench(*given, "--psnr", 45, "--sample", 0)
    assert status == 1
    assert len({path.name for path in (out / "released").iterdir()} - before) == 1
    results = json.loads((out / "results.json").read_text())
    assert results["indexes"][0]["files"]["paper"]["psnr"]["least"] >= 45
