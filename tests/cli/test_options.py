"""Options of the commands, whose defaults are those of the library."""

from dataclasses import fields
from pathlib import Path

import pytest

from homing.bench import run_descriptors
from homing.bench import settings as bench_settings
from homing.bench.questions import QUESTIONS, find_questions
from homing.cli.bench import bench, descriptors
from homing.cli.serve import serve
from homing.serve.settings import Settings


def defaults_of(command, *required):
    return command.make_context(command.name, list(required)).params


@pytest.mark.parametrize(
    ("command", "settings"),
    [(bench, bench_settings.Settings()), (descriptors, run_descriptors.Settings())],
    ids=["bench", "descriptors"],
)
def test_bench_has_the_defaults_of_its_settings(command, settings):
    defaults = defaults_of(command, "photos", "--background", "others")
    names = {field.name for field in fields(settings)} - {"questions"}
    assert {name: defaults[name] for name in names} == {
        name: getattr(settings, name) for name in names
    }


def test_bench_studies_all_questions_by_default():
    defaults = defaults_of(bench, "photos")
    assert find_questions(defaults["questions"]) == tuple(QUESTIONS)


def test_the_service_has_the_defaults_of_its_settings():
    defaults = defaults_of(serve, "archive")
    settings = Settings(archive="archive", folder=Path("folder"))
    for name in ("host", "port", "seconds", "rate_limit", "device", "engine"):
        assert defaults[name] == getattr(settings, name), name
    assert defaults["max_pixels"] == settings.limits.max_pixels
    assert defaults["max_bytes"] == settings.limits.max_bytes
    assert defaults["max_upload"] == settings.most_bytes
    assert defaults["memory"] * 2**20 == settings.memory
