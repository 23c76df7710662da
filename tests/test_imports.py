"""What imports what: heavy parts late, and one direction only."""

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import homing

ROOT = Path(homing.__file__).parent
HEAVY = ("torch", "faiss", "lance", "skimage", "scipy", "pyarrow")

#: Who may know whom: a part knows those below it, not those beside it.
FLOORS = (
    (
        "errors",
        "_version",
    ),
    (
        "files",
        "workers",
        "extras",
        "html",
    ),
    ("codebooks",),
    ("options",),
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
        "serve",
    ),
    ("cli",),
    ("__main__",),
)
LEVELS = {part: level for level, floor in enumerate(FLOORS) for part in floor}
#: Third parties that only some parts may import.
RESERVED = {
    "faiss": {"codebooks", "search"},
    "lance": {"archive"},
    "torch": {"descriptors", "activation"},
    "skimage": {"demo"},
    "c2pa": {"c2pa"},
    "click": {"cli"},
    "cryptography": {"c2pa"},
    "rich": {"cli"},
    "cv2": {"bench", "evidence"},
    "imagehash": {"bench"},
    "jinja2": {"html"},
    "matplotlib": {"bench"},
    "pdqhash": {"bench"},
    "fastapi": {"serve"},
    "prometheus_client": {"serve"},
    "ray": {"workers"},
    "starlette": {"serve"},
    "uvicorn": {"serve"},
}
#: Where foreign bytes are decoded. Elsewhere only what the module itself has just coded, or a
#: picture out of a dependency's wheel.
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


def imported(path: Path) -> Iterator[str]:
    """Full names of all modules that a file imports, wherever in it, also for type checkers."""
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
    assert users  # else the rule is out of date
    assert users <= RESERVED[library]


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


def test_every_module_says_what_it_is_and_every_package_what_it_offers() -> None:
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
    """Names of the heavy libraries that a fresh interpreter has loaded after some code."""
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
    assert "faiss" in loaded  # so that this test sees what it looks for
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


def test_each_library_reserved_is_installed() -> None:
    for library in RESERVED:
        assert importlib.util.find_spec(library) is not None
