"""The Dockerfile and the compose file: what they name is there. They are built where Docker is."""

import json
import re
import tomllib

import click
import pytest

from homing.cli.main import cli
from homing.serve.schema import load_schema
from tests.helpers.code_blocks import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_what_is_copied_is_there_and_sent_to_the_builder() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M)
    names = {name for line in copied for name in line.split()}
    assert {name for name in names if not (ROOT / name).exists()} == set()
    assert {f"!{name}" for name in names} <= set(IGNORED)


def test_what_the_build_reads_is_copied() -> None:
    needed = {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], "src"}
    assert {
        name for name in needed if not re.search(rf"COPY .*\b{re.escape(name)}\b", DOCKERFILE)
    } == set()


def test_the_extras_are_there() -> None:
    (named,) = re.findall(r"'\.\[(.+)\]'", DOCKERFILE)
    assert set(named.split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_its_command_is_one() -> None:
    (line,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.M)
    name, *arguments = json.loads(line)
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    command.make_parser(click.Context(command)).parse_args(arguments)


def test_its_health_is_a_route_without_a_key() -> None:
    (path,) = re.findall(r"127\.0\.0\.1:8000(/\w+)", DOCKERFILE)
    assert load_schema()["paths"][path]["get"]["security"] == []


def test_the_compose_file_keeps_the_data_where_the_image_has_them() -> None:
    yaml = pytest.importorskip("yaml")
    composed = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    service = composed["services"]["homing"]
    (mount,) = service["volumes"]
    volume, _, folder = mount.partition(":")
    assert volume in composed["volumes"]
    assert f"VOLUME {folder}" in DOCKERFILE
    assert service["ports"] == ["127.0.0.1:8000:8000"]
