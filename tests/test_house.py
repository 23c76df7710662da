"""The size of things: modules, functions, parameters and folders that can be taken in at a look."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import homing

ROOT = Path(homing.__file__).parent

MOST_LINES = 34_000  # of the package
MOST_LINES_OF_A_MODULE = 400
MOST_LINES_OF_A_FUNCTION = 60  # without its docstring
MOST_PARAMETERS = 8  # `self` among them
MOST_MODULES_OF_A_FOLDER = 16

#: What is larger than that, and why it stays so.
LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
MANY_PARAMETERS: dict[str, str] = {}
FULL_FOLDERS: dict[str, str] = {}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def lines_of(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """All functions, with names such as ``archive/open.py: create``."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT).as_posix()}: {node.name}", node


def code_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
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


def test_a_folder_is_taken_in_at_a_look() -> None:
    counts = Counter(path.parent for path in modules() if path.name != "__init__.py")
    full = {
        folder.relative_to(ROOT).as_posix()
        for folder, count in counts.items()
        if count > MOST_MODULES_OF_A_FOLDER
    }
    assert full == set(FULL_FOLDERS)
