"""Small files edited by hand: refused with the file's name, and never an internal error."""

import json
import shutil

import lance
import numpy as np

import homing
from homing.archive.query.calibration import Calibration, write_calibration
from homing.archive.table.generations import KEY, StoredGeneration
from homing.descriptors.download import read_record
from homing.files.small_json import decode
from homing.search.false_alarms import fit_tail
from homing.search.surroundings import ContrastTail
from tests.helpers.edits import edits


def check(homing_cli, file, command, *, values=None):
    """Edit every key of a file; the command must end with a status and name what it refuses."""
    before = file.read_bytes()
    refused = 0
    for name, text, surely in edits(decode(before) if values is None else values):
        file.write_text(text)
        ran = homing_cli(*command)
        assert ran.status in (0, 1, 2), name
        if surely:
            assert ran.status, name
            assert file.name in ran.out + ran.err, name
        refused += ran.status > 0
    file.write_bytes(before)
    assert homing_cli(*command).status == 0
    assert refused > 20


def test_archive_json(homing_cli, archive):
    check(homing_cli, archive / "archive.json", ("verify", archive, "--quick"))


def test_calibration_json(homing_cli, archive, photos):
    homing_cli("add", archive, photos)
    opened = homing.open(archive)
    similar = np.random.default_rng(0).uniform(-0.5, 0.5, 400)
    tail = fit_tail(similar, entries=3)
    calibration = Calibration("pictures", {"upright": tail}, {"upright": ContrastTail(0.1, tail)})
    write_calibration(archive, opened.settings, calibration)
    check(homing_cli, archive / "calibration.json", ("search", archive, "photos/1.jpg"))


def test_keys_json(homing_cli, archive):
    homing_cli("keys", "add", archive, "A")
    check(homing_cli, archive.with_name("archive-serve") / "keys.json", ("keys", "list", archive))


def test_a_file_that_was_changed_says_so_and_how_to_keep_it(homing_cli, archive):
    file = archive / "archive.json"
    text = file.read_text()
    file.write_text(text.replace('"previews": 480', '"previews": 240'))
    ran = homing_cli("stats", archive)
    assert ran.status == 2
    assert "was changed after it was written" in ran.err
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:-3], lines[-3].removesuffix(","), "}"]))
    assert homing_cli("stats", archive).status == 0
    assert homing.open(archive).settings.previews == 240


def test_another_archives_calibration_is_refused(homing_cli, archive, network_file, codebook_file):
    made = ("--descriptor", network_file, "--codebook", codebook_file)
    assert homing_cli("init", "other", *made).status == 0
    other = homing.open("other")
    tail = fit_tail(np.random.default_rng(0).uniform(-0.5, 0.5, 400), entries=3)
    write_calibration(other.path, other.settings, Calibration("pictures", {"upright": tail}))
    assert homing_cli("verify", "other").status == 0
    shutil.copy("other/calibration.json", archive)
    ran = homing_cli("verify", archive)
    assert ran.status == 1
    assert "another archive's" in ran.out


def test_generations_in_the_table(homing_cli, archive):
    stored = [
        vars(StoredGeneration.of(homing.open(archive).codebook)),
    ]
    dataset = lance.dataset(str(archive / "entries.lance"))
    for name, text, surely in edits(stored):
        dataset.update_config({KEY: text})
        ran = homing_cli("verify", archive, "--quick")
        assert ran.status in (0, 1, 2), name
        assert ran.status or not surely, name


def is_refused(load, *arguments) -> bool:
    try:
        load(*arguments)
    except homing.DescriptorError:
        return True
    return False


def test_config_of_a_descriptor(tmp_path, network_file):
    shutil.copy(network_file, tmp_path)
    config = tmp_path / network_file.with_suffix(".json").name
    for name, text, surely in edits(json.loads(network_file.with_suffix(".json").read_text())):
        config.write_text(text)
        refused = is_refused(homing.load_descriptor, tmp_path / network_file.name)
        assert refused or not surely, name


def test_record_of_a_download(tmp_path):
    record = {"sha256": "0", "size_bytes": 1, "url": "https://example.com"}
    for name, text, surely in edits(record):
        (tmp_path / "file.json").write_text(text)
        refused = is_refused(read_record, tmp_path / "file")
        assert refused or not surely or "size_bytes" not in name, name
