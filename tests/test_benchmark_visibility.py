"""benchmarks/visibility.py and benchmarks/contact_sheet.py on released files, in miniature."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from homing.demo.generated import generated_picture
from homing.images import decode_pixels, psnr

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def run(script: str, *arguments: object, status: int = 0) -> str:
    command = [sys.executable, BENCHMARKS / script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == status, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Sources and files changed by one level more in each."""
    root = tmp_path_factory.mktemp("folders")
    sources, released = root / "sources", root / "released"
    for folder in (sources / "inner", released / "inner"):
        folder.mkdir(parents=True)
    names = ("0.png", "1.png", "inner/0.png")
    for number, name in enumerate(names):
        size = (1700, 200) if number == 1 else (120, 90)
        picture = generated_picture(np.random.default_rng(number)).resize(size)
        pixels = np.array(picture.convert("RGB"))
        pixels[:10, :10] = 77  # 8 x 8 of them have four equal neighbours
        Image.fromarray(pixels).save(sources / name)
        waves = np.rint((number + 1) * np.sin(np.arange(size[0]) / 3))[None, :, None]
        waves = waves * np.array([1, -1, 1])
        if number == 0:
            waves[:, :10] = 0  # spares what is flat
        changed = np.clip(pixels + waves, 0, 255).astype(np.uint8)
        Image.fromarray(changed).save(released / name)
    return sources, released


def test_folders_are_compared(folders: tuple[Path, Path], tmp_path: Path) -> None:
    sources, released = folders
    (tmp_path / "more").mkdir()
    Image.open(sources / "1.png").save(tmp_path / "more" / "1.webp", lossless=True)
    Image.new("RGB", (9, 9)).save(tmp_path / "more" / "nobody's.png")
    figures = tmp_path / "figures.json"
    printed = run(
        "visibility.py", sources, released, tmp_path / "more", "--json", figures, status=1
    )
    values = json.loads(figures.read_text())
    assert values["failed"] == [f"{tmp_path / 'more'}: nobody's.png has no source"]
    changed, same = values["folders"]
    files = {each["name"]: each for each in changed["files"]}
    assert files.keys() == {"0.png", "1.png", "inner/0.png"}
    for name, each in files.items():
        original, other = (decode_pixels((f / name).read_bytes()) for f in (sources, released))
        assert each["psnr"] == pytest.approx(psnr(original, other, peak=255))
        sizes = [(folder / name).stat().st_size for folder in (released, sources)]
        assert each["growth"] == pytest.approx(sizes[0] / sizes[1])
        assert set(each["seen"]) == ({"1600", "800", "1:1"} if name == "1.png" else {"1600"})
        for seen in each["seen"].values():
            assert seen["ssimulacra2"] < 100
            assert seen["delta_e"] > 0
    assert files["0.png"]["flat"] >= 64
    assert files["0.png"]["flat_changed"] <= files["0.png"]["flat"] - 64
    assert files["inner/0.png"]["flat_changed"] > 30
    assert [row["files"] for row in changed["summary"]] == [3, 1, 1]
    assert same["files"][0]["psnr"] is None  # infinite
    assert same["files"][0]["seen"]["1:1"]["ssimulacra2"] == 100
    assert printed.count("\n| ") == 1 + 3 + 3
    worst = printed.partition("worst by SSIMULACRA2")[2]
    assert "inner/0.png" in worst


def test_sheets_show_released_files(folders: tuple[Path, Path], tmp_path: Path) -> None:
    sheet, flip = tmp_path / "sheet.png", tmp_path / "flip.png"
    options = ("--released", folders[1], "--out", sheet, "--flip", flip, "--side", 64)
    assert "3 pictures: SSIMULACRA2 least" in run("contact_sheet.py", folders[0], *options)
    with Image.open(sheet) as image:
        assert image.width >= 3 * 64
        assert image.height >= 3 * 2 * 40
    with Image.open(flip) as image:
        assert image.n_frames == 2
        assert image.info["duration"] == 500
