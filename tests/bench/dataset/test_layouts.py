"""Layouts of published data sets, in miniature, and their copies (published_copies)."""

import json

import numpy as np
import pytest
from PIL import Image

from homing.bench.dataset.layouts import read_layout
from homing.demo.generated import generated_picture
from homing.errors import UsageError
from tests.helpers.bench import run_bench


def picture(seed):
    image = generated_picture(np.random.default_rng([9, seed]))
    image.thumbnail((160, 160))
    return image


@pytest.fixture(scope="module")
def disc21(tmp_path_factory):
    """Thirty references, of which three have a match; five queries, one without a match."""
    root = tmp_path_factory.mktemp("disc21")
    for name in ("references", "dev_queries"):
        (root / name).mkdir()
    for number in range(30):
        picture(number).save(root / "references" / f"R{number:06}.jpg", quality=92)
    for query, seed in enumerate((4, 4, 7, 11, 99)):
        image = picture(seed)
        crop = image.crop((query, 2 * query, image.width, image.height))
        crop.save(root / "dev_queries" / f"Q{query:05}.jpg", quality=60)
    (root / "dev_ground_truth.csv").write_text(
        "query_id,reference_id\nQ00000,R000004\nQ00001,R000004\nQ00002,R000007\n"
        "Q00003,R000011\nQ00004,\n"
    )
    return root


@pytest.fixture(scope="module")
def copydays(tmp_path_factory):
    root = tmp_path_factory.mktemp("copydays")
    for name in ("original", "strong", "crops/10", "jpegqual/3"):
        (root / name).mkdir(parents=True)
    for number in range(3):
        image, name = picture(100 + number), f"200{number}00.jpg"
        image.save(root / "original" / name, quality=95)
        image.crop((3, 3, image.width - 3, image.height - 3)).save(root / "crops/10" / name)
        image.save(root / "jpegqual/3" / name, quality=3)
    Image.blend(picture(101), picture(101).rotate(3), 0.5).save(root / "strong" / "200101.jpg")
    Image.blend(picture(102), picture(102).rotate(5), 0.5).save(root / "strong" / "200203.jpg")
    return root


def test_disc21_as_it_is_published(disc21):
    found = read_layout("disc21", disc21)
    assert [each.path.stem for each in found.photos] == ["R000004", "R000007", "R000011"]
    assert len(found.background) == 27
    assert [
        (each.found.path.stem, [p.stem for p in each.originals], each.block)
        for each in found.published
    ] == [
        ("Q00000", ["R000004"], "dev_queries"),
        ("Q00001", ["R000004"], "dev_queries"),
        ("Q00002", ["R000007"], "dev_queries"),
        ("Q00003", ["R000011"], "dev_queries"),
        ("Q00004", [], "without a match"),
    ]


def test_copydays_as_it_is_published(copydays):
    found = read_layout("copydays", copydays)
    assert [each.path.stem for each in found.photos] == ["200000", "200100", "200200"]
    assert found.background == ()
    blocks = {}
    for each in found.published:
        pair = (each.found.path.stem, each.originals[0].stem)
        blocks.setdefault(each.block, []).append(pair)
    same = [(name, name) for name in ("200000", "200100", "200200")]
    assert blocks == {
        "strong": [("200101", "200100"), ("200203", "200200")],
        "crops/10": same,
        "jpegqual/3": same,
    }


@pytest.mark.parametrize("name", ["disc21", "copydays"])
def test_another_layout_is_refused(tmp_path, name):
    (tmp_path / "photos").mkdir()
    with pytest.raises(UsageError, match="not laid out as"):
        read_layout(name, tmp_path)


FEW = (
    "--base-size", 300, "--index", "IVF4,PQ8", "--random-draws", 1, "--no-hashes", "--no-costs",
    "--questions", "none",
)  # fmt: skip


def test_disc21_by_one_command(disc21, network_file, tmp_path):
    out = tmp_path / "out"
    given = (disc21, "--layout", "disc21", "--descriptor", network_file, *FEW, "--out", out)
    status, text, _ = run_bench(*given)
    assert status == 0
    results = json.loads((out / "results.json").read_text())
    assert results["base"]["photos"] == 3
    (answer,) = results["questions"]
    assert "5 published copies of 3 pictures" in answer["text"]
    lines = {line["label"]: line["figures"] for line in answer["lines"]}
    assert lines["dev_queries"]["exact"]["mean"] == 1
    assert lines["dev_queries"]["automatic probes"]["mean"] == 1
    found = lines["µAP, with 1 queries without a match"]["1 probe"]["mean"]
    assert 0 < found <= 1
    assert "The copies that the data set comes with" in text


@pytest.mark.slow
def test_copydays_by_one_command(copydays, disc21, network_file, tmp_path):
    out = tmp_path / "out"
    given = (copydays, "--layout", "copydays", "--background", disc21 / "references")
    status, _, _ = run_bench(*given, "--descriptor", network_file, *FEW, "--out", out)
    assert status == 0
    (answer,) = json.loads((out / "results.json").read_text())["questions"]
    lines = {line["label"]: line["figures"] for line in answer["lines"]}
    assert list(lines) == ["strong", "crops/10", "jpegqual/3"]
    assert lines["jpegqual/3"]["exact"]["mean"] == 1


def test_a_layout_is_one_folder(disc21, network_file, tmp_path):
    status, _, err = run_bench(disc21, disc21, "--layout", "disc21", "--out", tmp_path / "out")
    assert status == 2
    assert "one folder" in err
