"""The wheel and the source distribution: what is in them, and that the wheel works alone."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import homing

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "homing"
WASTE = ("__pycache__", ".pyc", ".nbi", ".nbc", ".DS_Store", ".homing-", ".git/", ".venv")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    (built,) = SdistBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(built)


def kept(path: Path) -> bool:
    return path.is_file() and not any(waste in path.as_posix() for waste in WASTE)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    assert wheel.name == f"homing-{homing.__version__}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {f"homing/{p.relative_to(SOURCES).as_posix()}" for p in SOURCES.rglob("*") if kept(p)}
    about = {name for name in names if ".dist-info/" in name}
    assert names - about == package
    assert {name.rpartition("/")[2] for name in about} >= {"METADATA", "LICENSE", "NOTICE"}
    for needed in (
        "homing/py.typed",
        "homing/demo/pictures/SOURCES.txt",
        "homing/demo/pictures/chelsea.png",
        "homing/codebooks/data/homing-s-IVF1024-PQ8x8.safetensors",
        "homing/search/data/background-homing-s.safetensors",
        "homing/serve/pages/static/site.css",
    ):
        assert needed in names
    for folder, ending in (
        ("homing/descriptors/weights/", ".safetensors"),
        ("homing/serve/pages/templates/", ".j2"),
        ("homing/demo/", ".j2"),
        ("homing/evidence/", ".j2"),
    ):
        assert any(n.startswith(folder) and n.endswith(ending) for n in names), folder


def test_the_source_distribution_holds_what_builds_and_tests_it(source: Path) -> None:
    top = f"homing-{homing.__version__}/"
    with tarfile.open(source) as archive:
        names = {name.removeprefix(top) for name in archive.getnames()}
    for needed in (
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "NOTICE",
        "Makefile",
        "constraints.txt",
        "src/homing/py.typed",
        "tests/test_packaging.py",
        "benchmarks/README.md",
    ):
        assert needed in names
    assert not [name for name in names if any(waste in name for waste in WASTE)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_wheel_works_where_nothing_else_is_installed(wheel: Path, tmp_path: Path) -> None:
    """Needs a registry of packages. The demonstration is the newcomer's first command."""
    venv.create(tmp_path / "clean", with_pip=True)
    programs = tmp_path / "clean" / ("Scripts" if sys.platform == "win32" else "bin")

    def run(program: str, *arguments: object) -> str:
        done = subprocess.run(
            [programs / program, *map(str, arguments)],
            cwd=tmp_path, env={"PATH": str(programs), "HOME": str(tmp_path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    subprocess.run(
        [programs / "python", "-m", "pip", "install", "--quiet", "--constraint",
         ROOT / "constraints.txt", wheel],
        check=True,
    )  # fmt: skip
    run("python", "-m", "pip", "check")
    assert run("homing", "--version").strip().endswith(homing.__version__)
    where = run("python", "-c", "import homing; print(homing.__file__)")
    assert Path(where.strip()).is_relative_to(tmp_path / "clean")
    assert "page: " in run("homing", "demo", "--background", "50", "--out", "report")
    assert (tmp_path / "report" / "index.html").stat().st_size > 10_000
