"""Sizes of modules, functions, parameter lists and folders, and a test for each module."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import homing

ROOT = Path(homing.__file__).parent
TESTS = Path(__file__).parent

MOST_LINES = 57_700  # lines of the package
MOST_LINES_OF_A_MODULE = 400
MOST_LINES_OF_A_FUNCTION = 60  # without its docstring
MOST_PARAMETERS = 8  # `self` among them
MOST_MODULES_OF_A_FOLDER = 16

#: Functions that are larger, and why.
LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
MANY_PARAMETERS: dict[str, str] = {}
FULL_FOLDERS: dict[str, str] = {}

#: Modules without a test file of their own name, and the file that tests them.
TESTED_ELSEWHERE = {
    "__main__": "cli/test_process",
    "_version": "cli/test_main",
    "errors": "test_public_api",
    "activation/laid_sums": "activation/test_laid",
    "codebooks/any_codebook": "codebooks/test_faiss_codebook",
    "client/answers": "serve/test_client",
    "client/operations": "serve/test_client",
    "client/transport": "serve/test_client",
    "client/webhook": "serve/test_client",
    "archive/ingest/vector_files": "archive/test_transfer",
    "archive/ingest/vectors": "archive/test_transfer",
    "archive/query/calibrate": "archive/query/test_calibration",
    "archive/query/manifests": "archive/ingest/test_sign",
    "images/metadata/foreign": "images/metadata/test_metadata",
    "images/formats/blocks/exif": "images/formats/blocks/test_carriers",
    "images/formats/blocks/photoshop": "images/formats/blocks/test_carriers",
    "images/formats/jpeg_segments": "images/formats/blocks/test_carriers",
    "images/formats/png_carried": "images/formats/blocks/test_carriers",
    "images/formats/tiff_carried": "images/formats/blocks/test_carriers",
    "search/engines/lance": "archive/query/test_engines",
    "serve/http/observer": "serve/routes/test_routes",
    "serve/http/uploads": "serve/routes/test_routes",
    "serve/http/metrics": "serve/routes/test_routes",
    "serve/jobs/releases": "serve/routes/test_routes",
    "serve/models/answers": "serve/routes/test_routes",
    "serve/models/queries": "serve/routes/test_routes",
    "serve/softbinding/matching": "serve/softbinding/test_routes",
    "serve/softbinding/models": "serve/softbinding/test_schema",
    "serve/tasks/release": "serve/jobs/test_queue",
    "serve/token_folders": "serve/routes/test_routes",
}
#: Folders whose other modules are tested by runs of the whole in miniature.
IN_MINIATURE = {"bench": "bench/test_run"}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def lines_of(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield all functions, with names such as ``archive/open.py: create``."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT).as_posix()}: {node.name}", node


def code_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function without its docstring."""
    assert node.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is not None:
        docstring = node.body[0]
        assert docstring.end_lineno is not None
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


def parameters_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = node.args
    return len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)


def test_the_package_is_no_longer_than_it_need_be() -> None:
    assert sum(lines_of(path) for path in modules()) <= MOST_LINES


def test_a_module_is_read_in_one_sitting() -> None:
    long = {
        p.relative_to(ROOT).as_posix() for p in modules() if lines_of(p) > MOST_LINES_OF_A_MODULE
    }
    assert long == set(LONG_MODULES)


def test_a_function_fits_a_screen() -> None:
    long = {name for name, node in functions() if code_of(node) > MOST_LINES_OF_A_FUNCTION}
    assert long == set(LONG_FUNCTIONS)


def test_a_function_takes_few_parameters() -> None:
    many = {name for name, node in functions() if parameters_of(node) > MOST_PARAMETERS}
    assert many == set(MANY_PARAMETERS)


def test_a_folder_has_few_modules() -> None:
    counts = Counter(path.parent for path in modules() if path.name != "__init__.py")
    full = {
        folder.relative_to(ROOT).as_posix()
        for folder, count in counts.items()
        if count > MOST_MODULES_OF_A_FOLDER
    }
    assert full == set(FULL_FOLDERS)


def names_in(docstring: str) -> set[str]:
    """Return the words of a docstring, with paths split."""
    return set(re.split(r"[^\w]+", docstring))


def has_its_test(module: Path) -> bool:
    """Return whether a test file has its name, or says in its first lines that it covers it.

    A file of the mirrored folder may name the module alone, one above it the folder as well.
    """
    if (TESTS / module.parent / f"test_{module.stem.removeprefix('_')}.py").exists():
        return True
    here = "\n".join(map(docstring_of, (TESTS / module.parent).glob("test_*.py")))
    above = [docstring_of(f) for up in module.parents[1:] for f in (TESTS / up).glob("test_*.py")]
    path = module.with_suffix("").as_posix()
    return module.stem in names_in(here) or any(path in each for each in above)


def docstring_of(file: Path) -> str:
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def test_from_a_module_its_test_is_found() -> None:
    without = set()
    for path in modules():
        module = path.relative_to(ROOT)
        covered = module.parts[0] in IN_MINIATURE or path.name == "__init__.py"
        if not covered and not has_its_test(module):
            without.add(module.with_suffix("").as_posix())
    assert without == set(TESTED_ELSEWHERE)
    for file in (*TESTED_ELSEWHERE.values(), *IN_MINIATURE.values()):
        assert (TESTS / f"{file}.py").exists(), file
