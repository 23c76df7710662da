"""Imports of the package: in one direction only, and heavy libraries late."""

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import homing

ROOT = Path(homing.__file__).parent
HEAVY = ("torch", "faiss", "lance", "numba", "skimage", "scipy", "pyarrow")

#: Layers of the package: a part imports those below it, not those beside it.
FLOORS = (
    (
        "errors",
        "_version",
    ),
    ("extras",),
    (
        "files",
        "workers",
        "compiled",
        "html",
        "lazy",
    ),
    ("codebooks",),
    (
        "options",
        "progress",
    ),
    ("images",),
    ("descriptors",),
    ("edits",),
    (
        "c2pa",
        "search",
        "evidence",
    ),
    (
        "activation",
        "codebook_from_pictures",
    ),
    ("archive",),
    (
        "bench",
        "demo",
        "client",
        "integrations",
        "serve",
        "watch",
    ),
    ("cli",),
    ("__main__",),
)
LEVELS = {part: level for level, floor in enumerate(FLOORS) for part in floor}
#: The same within the large folders, from the bottom to the top: a name imports those before it.
ORDER = {
    "activation": "budget laid_sums laid masking objectives simulated_edits loop vectors methods "
    "prepared visible finished activator api tensors",
    "archive": "ids manifest results inputs hits table settings codebooks previews query decisions "
    "ingest verification reader exchange exports repair upkeep transfer archive open",
    "archive/previews": "store recognition record upkeep check",
    "archive/decisions": "query kept files relevant decisions",
    "archive/ingest": "plan run sign staging describe activate_files add vectors vector_files "
    "by_workers release missing_previews",
    "archive/query": "cells entries manifests originals queries verdict confirm confirmer engines "
    "explain snapshot near_duplicates calibration calibrate answers duplicates",
    "archive/table": "generations lance_internals location checksums places rows disk versions "
    "table damaged addresses commit columns vectors index",
    "archive/table/index": "form segments build_index",
    "bench": "extra settings cache context statistics encode search dataset states measure "
    "questions costs sample_study published_copies report run_descriptors run",
    "cli": "process output completion options kinds archive entries decisions release watch search "
    "codebook bench serve demo main",
    "codebooks": "exact near_cells cost partition any_codebook factory checks codes rebuild "
    "codebook faiss_codebook faiss_index storage catalogue names training",
    "descriptors": "pooling preprocessing workers download descriptor efficientnet "
    "frozen_efficientnet resnet registry networks weights_file custom loading",
    "images": "limits kinds pixels flat find told colour formats mended metrics ssimulacra2 seen "
    "samples picture read_small preview metadata encode",
    "images/metadata": "metadata foreign carried",
    "integrations/threatexchange": "codes entries index signal",
    "search": "products ranking false_alarms surroundings background engines frames views",
    "serve": "http settings token_folders shared_archive access models tasks jobs verification "
    "service schema pages routes softbinding app server",
    "watch": "arrivals aside watcher",
    "workers": "ahead memory processes ray_internals ray choose",
}
#: Imports within functions that go upwards all the same.
UPWARDS = {
    ("codebooks/codebook.py", "storage"): "Codebook.save is save_codebook as a method",
    ("codebooks/faiss_codebook.py", "storage"): "so is FaissCodebook.save",
}
#: Third-party libraries that only some parts may import.
RESERVED = {
    "faiss": {"codebooks", "integrations", "search"},
    "lance": {"archive"},
    "torch": {"descriptors", "activation"},
    "skimage": {"bench", "demo"},
    "c2pa": {"c2pa"},
    "click": {"cli"},
    "cryptography": {"c2pa"},
    "rich": {"cli"},
    "cv2": {"bench", "evidence", "images", "search"},
    "flip_evaluator": {"bench"},
    "imagehash": {"bench"},
    "jinja2": {"html"},
    "matplotlib": {"bench"},
    "numba": {"compiled", "search"},
    "pdqhash": {"bench"},
    "fastapi": {"serve"},
    "prometheus_client": {"serve"},
    "ray": {"workers"},
    "starlette": {"serve"},
    "threatexchange": {"integrations"},
    "uvicorn": {"serve"},
}
#: Modules that decode foreign bytes. Others decode only what they have just encoded, or a
#: picture from a dependency's wheel.
DECODING = {"images", "demo"}
OWN_BYTES = {
    "activation/api.py",
    "codebook_from_pictures.py",
    "edits/operations.py",
    "edits/_augly.py",
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Return full names of the modules that a file imports, anywhere, also for type checkers."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide their direction"
            if node.module == "homing":
                yield from (f"homing.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)


def test_every_part_has_its_place() -> None:
    parts = {part_of(path) for path in modules()} - {"__init__"}
    assert parts == set(LEVELS)


@pytest.mark.parametrize("part", sorted(LEVELS))
def test_imports_go_downwards(part: str) -> None:
    wrong = []
    for path in modules():
        if part_of(path) != part:
            continue
        for name in imported(path):
            if name != "homing" and not name.startswith("homing."):
                continue
            other = name.split(".")[1] if "." in name else ""
            if other != part and not LEVELS.get(other, 99) < LEVELS[part]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def inner_imports(folder: str) -> Iterator[tuple[Path, str, str]]:
    """Yield imports within a folder: the file, and the names of importer and imported module."""
    package = "homing." + folder.replace("/", ".") + "."
    for path in sorted((ROOT / folder).rglob("*.py")):
        own = path.relative_to(ROOT / folder).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        for name in {*imported(path), *imported_members(path)}:
            if name.startswith(package):
                yield path, own, name.removeprefix(package).split(".")[0]


@cache
def imported_members(path: Path) -> tuple[str, ...]:
    """Return the names that ``from PACKAGE import NAME`` imports, which may be modules."""
    return tuple(
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )


@pytest.mark.parametrize("folder", sorted(ORDER))
def test_imports_within_a_folder_go_downwards(folder: str) -> None:
    order = ORDER[folder].split()
    there = {
        path.name.removesuffix(".py")
        for path in (ROOT / folder).iterdir()
        if path.suffix == ".py" or any(path.glob("*.py"))
    }
    assert there - {"__init__", "__pycache__"} == set(order)
    wrong = {
        (path.relative_to(ROOT).as_posix(), other)
        for path, own, other in inner_imports(folder)
        if other in order and other != own and order.index(other) > order.index(own)
    }
    assert wrong == {place for place in UPWARDS if place[0].startswith(f"{folder}/")}


def reachable(start: str) -> set[str]:
    """Return modules of the package that a module imports, directly or not, wherever in it.

    Imports for type checkers alone do not count, nor does the package around an imported module.
    """
    known = {
        ".".join(("homing", *path.relative_to(ROOT).with_suffix("").parts)): path
        for path in modules()
    }
    known |= {name.removesuffix(".__init__"): path for name, path in known.items()}
    found: set[str] = set()
    left = [start]
    while left:
        name = left.pop()
        if name not in known or name in found:
            continue
        found.add(name)
        tree = ast.parse(known[name].read_text(encoding="utf-8"))
        for node in at_run_time(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("homing"):
                members = [f"{node.module}.{alias.name}" for alias in node.names]
                left += [each if each in known else str(node.module) for each in members]
    return found


def at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those below ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from at_run_time(child)


def test_a_release_rests_on_few_modules() -> None:
    # Modules that plan, activate, sign, write and record; release.py imports activation for types.
    starts = ("archive.ingest.release", "activation.activator", "archive.ingest.sign")
    found = set().union(*(reachable(f"homing.{start}") for start in starts))
    # So that an empty result cannot pass.
    assert {"homing.activation.loop", "homing.archive.table.commit"} <= found
    assert len(found) < 122


def test_the_package_itself_loads_its_errors_alone() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    at_once = {
        node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("homing")
    }
    assert at_once == {"homing._version", "homing.errors"}


@pytest.mark.parametrize("library", sorted(RESERVED))
def test_libraries_stay_in_their_parts(library: str) -> None:
    users = {
        part_of(path)
        for path in modules()
        if any(name.split(".")[0] == library for name in imported(path))
    }
    assert users  # otherwise the rule is out of date
    assert users <= RESERVED[library]


def test_one_folder_alone_knows_lance() -> None:
    users = {
        path.relative_to(ROOT).parent.as_posix()
        for path in modules()
        if any(name.split(".")[0] == "lance" for name in imported(path))
    }
    assert users == {"archive/table", "archive/table/index"}


def test_one_module_alone_knows_postgres() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if any(name.split(".")[0] == "psycopg" for name in imported(path))
    }
    assert users == {"archive/exports/postgres.py"}


def test_foreign_pictures_are_decoded_in_one_place() -> None:
    def opens(path: Path) -> bool:
        return any(
            isinstance(node, ast.Attribute)
            and node.attr == "open"
            and isinstance(node.value, ast.Name)
            and node.value.id in ("Image", "PIL")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )

    users = {path.relative_to(ROOT).as_posix() for path in modules() if opens(path)}
    elsewhere = {name for name in users if name.split("/")[0] not in DECODING}
    assert elsewhere == OWN_BYTES


def test_every_module_has_a_docstring_and_every_package_its_names() -> None:
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), path
        imports = any(isinstance(node, ast.ImportFrom) for node in tree.body)
        if path.name == "__init__.py" and imports:
            assert any(
                isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
                for node in tree.body
            ), path


def loaded_after(code: str, tmp_path: Path) -> set[str]:
    """Return the heavy libraries that a fresh interpreter has loaded after some code."""
    script = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True, capture_output=True, text=True, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    last = done.stdout.strip().splitlines()[-1].split()
    assert last[0] == "LOADED"
    return set(last[1:])


@pytest.mark.parametrize(
    "code",
    [
        "import homing",
        "import homing.cli",
        "import homing.errors, homing.files.durable, homing.files.locks",
        "from homing.cli import main; main(['--help'])",
        "from homing.cli import main; main(['release', '--help'])",
        "from homing.cli import main; main(['--version'])",
    ],
)
def test_nothing_heavy_is_loaded(code: str, tmp_path: Path) -> None:
    assert loaded_after(code, tmp_path) == set()


def test_images_load_no_torch_and_codebooks_neither(tmp_path: Path) -> None:
    assert loaded_after("import homing.images", tmp_path) <= {"scipy", "skimage"}
    loaded = loaded_after("import homing.codebooks", tmp_path)
    assert "faiss" in loaded  # so that a library that is loaded would be seen
    assert "torch" not in loaded


def test_an_archive_is_opened_and_searched_by_vectors_without_torch(tmp_path: Path) -> None:
    import homing

    homing.create(tmp_path / "archive")
    code = (
        "import homing, numpy; archive = homing.open('archive'); "
        "archive.search_vectors(numpy.ones((1, 256), 'float32') / 16)"
    )
    loaded = loaded_after(code, tmp_path)
    assert "lance" in loaded
    assert "torch" not in loaded


def test_archives_are_listed_without_what_only_a_search_compiles(tmp_path: Path) -> None:
    import homing

    homing.create(tmp_path / "archive")
    loaded = loaded_after("import homing; homing.open('archive').stats()", tmp_path)
    assert "lance" in loaded
    assert not {"numba", "torch"} & loaded


def test_each_library_reserved_is_installed() -> None:
    for library in RESERVED:
        assert importlib.util.find_spec(library) is not None
