"""The public API of ``import homing``."""

import ast
import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import homing
from homing import errors
from homing.activation import METHODS
from homing.cli.bench import bench
from homing.cli.release import activate, release
from homing.options import Activation, ActivationKeywords, SearchKeywords, SearchOptions


def test_all_is_sorted_and_without_repeats() -> None:
    assert homing.__all__ == sorted(set(homing.__all__))


@pytest.mark.parametrize("name", homing.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    value = getattr(homing, name)
    if name != "__version__":
        assert inspect.isclass(value) or inspect.isfunction(value)
        assert inspect.getdoc(value)


def test_names_are_the_lazy_ones_and_those_loaded_at_once() -> None:
    at_once = {name for name in homing.__all__ if name in errors.__all__ or name == "__version__"}
    assert set(homing.__all__) - at_once == set(homing._HOMES)
    assert set(errors.__all__) <= set(homing.__all__)


def test_lazy_names_are_those_of_their_homes() -> None:
    for name, (module, attribute) in homing._HOMES.items():
        home = __import__(module, fromlist=[attribute])
        assert attribute in home.__all__
        assert getattr(homing, name) is getattr(home, attribute)


def test_type_checkers_see_the_same_names() -> None:
    """The imports under TYPE_CHECKING repeat the lazy table, for type checkers."""
    tree = ast.parse(Path(homing.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == homing._HOMES


def test_dir_and_unknown_names() -> None:
    assert set(homing.__all__) <= set(dir(homing))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = homing.no_such_name


def test_errors_are_one_family() -> None:
    for name in errors.__all__:
        error = getattr(homing, name)
        assert issubclass(error, homing.HomingError)
        assert error.exit_code in (1, 2)


def test_star_import_works() -> None:
    code = "from homing import *; assert Archive and load_descriptor and PictureError"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_one_method_is_the_default_everywhere() -> None:
    assert Activation.method in METHODS
    for command in (release, activate):
        (option,) = [o for o in command.params if o.name == "method"]
        assert option.default == Activation.method
    (option,) = [o for o in bench.params if o.name == "methods"]
    assert option.default.split(",")[0] == Activation.method  # the default comes first


def test_keywords_are_the_fields_of_the_options() -> None:
    for options, keywords in ((Activation, ActivationKeywords), (SearchOptions, SearchKeywords)):
        assert list(keywords.__annotations__) == [each.name for each in fields(options)]
