"""Commands: help, output for people and for machines, and exit status.

Covers cli/main.py and, through the commands, archive, entries, release, search, codebook, demo,
serve and output; tests/bench runs cli/bench.py.
"""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageEnhance, ImageOps

import homing
from homing.activation import METHODS
from homing.cli.main import _COMMANDS, cli
from homing.options import Activation
from tests.helpers.pictures import make_pictures, picture

SUBCOMMANDS = [(name,) for name in _COMMANDS if name not in {"codebook", "keys"}]
SUBCOMMANDS += [("codebook", name) for name in ("train", "import", "show", "adopt")]
SUBCOMMANDS += [("keys", name) for name in ("add", "list", "revoke")]
SUBCOMMANDS += [("bench", "descriptors")]
#: Of an outcome's line, but for notes.
RELEASED_KEYS = {
    "source", "status", "id", "file", "psnr", "ssim", "ssimulacra2", "cell_kept", "seconds",
}  # fmt: skip
SHA = re.compile(r"[0-9a-f]{64}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


@pytest.mark.parametrize("command", SUBCOMMANDS, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_shows_an_example(homing_cli, command, option):
    ran = homing_cli(*command, option)
    assert (ran.status, ran.err) == (0, "")
    assert f"Usage: homing {' '.join(command)}" in ran.out
    examples = re.findall(rf"^  homing {' '.join(command)}\b", ran.out, re.MULTILINE)
    assert examples


#: A log, and a script.
NO_RESULTS = {("serve",), ("completion",)}


@pytest.mark.parametrize("command", [c for c in SUBCOMMANDS if c not in NO_RESULTS], ids=" ".join)
def test_every_command_speaks_json(homing_cli, command):
    assert "--json" in homing_cli(*command, "--help").out


def test_the_group_lists_all_commands(homing_cli):
    shown = homing_cli("--help").out
    wanted = "init release add search list show remove stats verify compact activate descriptors"
    for name in [*wanted.split(), "codebook", "demo"]:
        assert re.search(rf"^  {name}\b", shown, re.MULTILINE), name
    assert homing_cli("--version").out.strip().endswith(homing.__version__)


def test_the_help_has_groups(homing_cli):
    shown = homing_cli("--help").out
    sections = re.split(r"^(\w+):\n", shown.partition("Options:\n")[2], flags=re.MULTILINE)[1:]
    assert sections[::2] == ["Pictures", "Archive", "Measure", "Serve", "Shell"]
    listed = [re.findall(r"^  (\w+)  ", text, re.MULTILINE) for text in sections[1::2]]
    assert [name for names in listed for name in names] == list(_COMMANDS)
    assert listed[0][:2] == ["release", "add"]
    assert listed[1][0] == "init"
    assert set(listed[2]) == {"demo", "bench", "descriptors", "codebook"}
    assert listed[3] == ["serve", "keys"]


def test_the_table_of_commands_names_every_one():
    page = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"
    text = page.read_text(encoding="utf-8")
    missing = [name for name in cli.list_commands(None) if not re.search(rf"\b{name}\b", text)]
    assert missing == []


def test_help_lists_every_method(homing_cli) -> None:
    from homing.activation import METHODS

    words = homing_cli("release", "--help").out.replace(",", " ").replace(".", " ").split()
    assert set(METHODS) <= set(words)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["init"],
        ["release"],
        ["release", "archive", "photos"],
        ["release", "archive", "photos", "--out", "out", "--psnr", "12"],
        ["release", "archive", "photos", "--out", "out", "--psnr", "nan"],
        ["release", "archive", "photos", "--out", "out", "--format", "gif"],
        ["release", "archive", "photos", "--out", "out", "--seed", "-1"],
        ["release", "archive", "photos", "--out", "out", "--method", "nobody"],
        ["release", "archive", "photos", "--out", "photos/out"],
        ["release", "archive", "photos", "--out", "photos/0.jpg/out"],
        ["release", "archive", "--out", "out"],
        ["release", "archive", "missing", "--out", "out"],
        ["release", "archive", "photos", "--out", "out", "--max-pixels", "0"],
        ["release", "archive", "photos", "--out", "out", "--manifest", "missing.csv"],
        ["release", "archive", "photos", "--out", "out", "--device", "abacus"],
        ["release", "nowhere", "photos", "--out", "out"],
        ["add", "archive"],
        ["add", "photos", "photos"],
        ["search", "archive"],
        ["search", "archive", "missing"],
        ["search", "archive", "photos", "--k", "0"],
        ["search", "archive", "photos", "--probes", "0"],
        ["search", "archive", "photos", "--probes", "many"],
        ["search", "archive", "photos", "--probes", "1.5"],
        ["search", "archive", "photos", "--rerank", "-1"],
        ["show", "archive"],
        ["remove", "archive"],
        ["list", "nowhere"],
        ["stats", "photos/0.jpg"],
        ["verify", "nowhere"],
        ["compact", ""],
        ["init", "archive"],
        ["init", "photos"],
        ["init", "photos/0.jpg/new"],
        ["init", "new", "--expect", "nan"],
        ["init", "new", "--expect", "inf"],
        ["init", "new", "--expect", "-3"],
        ["init", "new", "--expect", "lots"],
        ["init", "new", "--descriptor", "nobody"],
        ["init", "new", "--codebook", "photos/0.jpg"],
        ["init", "new", "--codebook", "IVF3,PQ5x8"],
        ["codebook", "show", "missing.safetensors"],
        ["codebook", "show", "photos/0.jpg"],
        ["codebook", "train", "photos", "--factory", "nonsense", "--out", "c.safetensors"],
        [
            "codebook",
            "train",
            "photos",
            "--factory",
            "IVF8,PQ8x8",
            "--out",
            "missing/c.safetensors",
        ],
        ["demo", "--out", "photos"],
        ["activate", "photos", "--out", "out", "--codebook", "nonsense"],
        ["activate", "photos", "--out", "out", "--also", "nonsense"],
        ["release", "archive", "photos", "--out", "out", "--also", "nonsense"],
        ["release", "archive", "photos", "--out", "out", "--also", "archive/codebook.safetensors"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_reported_in_a_line_and_ends_with_2(homing_cli, archive, photos, arguments):
    before = {p: p.stat().st_mtime_ns for p in Path().rglob("*") if p.is_file()}
    ran = homing_cli(*arguments)
    assert ran.status == 2
    assert ran.out == ""
    assert ran.err.strip()
    assert {p: p.stat().st_mtime_ns for p in Path().rglob("*") if p.is_file()} == before


def test_init_reports_what_it_has_chosen(homing_cli, archive, network_file, codebook_file):
    given = ["--descriptor", network_file, "--codebook", codebook_file]
    (answer,) = homing_cli("init", "other", *given, "--json").objects
    assert set(answer) == {
        "archive",
        "descriptor",
        "codebook",
        "codebook_choice",
        "previews",
        "places",
    }
    assert answer["codebook"] == "IVF8,PQ8x8"
    assert homing_cli("init", "third", *given).out.startswith("third: ")


def test_the_bundled_codebook_follows_the_number_expected(homing_cli, tmp_path):
    answer = [
        homing_cli("init", tmp_path / f"a{n}", "--expect", n, "--json").objects[0]["codebook"]
        for n in ("100", "1e6")
    ]
    assert answer == ["IVF64,PQ8x8", "IVF1024,PQ8x8"]


def test_release_for_machines(homing_cli, archive, photos):
    Path("photos/bad.png").write_text("no picture")
    ran = homing_cli("release", archive, photos, "--out", "out", "--json")
    assert ran.status == 1
    assert [o["status"] for o in ran.objects] == ["released"] * 3 + ["failed"]
    for number, answer in enumerate(ran.objects[:3]):
        assert set(answer) - {"notes"} == RELEASED_KEYS
        assert answer["source"] == f"photos/{number}.jpg"
        assert answer["id"] == f"{number}.jpg"
        assert answer["file"] == f"out/{number}.jpg"
        assert 42 <= answer["psnr"] < 60
        assert 0.5 < answer["ssim"] <= 1
        assert METHODS[Activation.method].least_visible <= answer["ssimulacra2"] < 100
        assert answer["ssimulacra2"] == round(answer["ssimulacra2"], 2)
        assert isinstance(answer["cell_kept"], bool)
        assert answer["seconds"] > 0
    failed = ran.objects[3]
    assert set(failed) == {"source", "status", "id", "reason", "seconds"}
    assert failed["reason"]
    again = homing_cli("release", archive, photos, "--out", "out", "--json")
    assert again.status == 1
    assert [o["status"] for o in again.objects] == ["skipped"] * 3 + ["failed"]
    assert set(again.objects[0]) == {"source", "status", "id", "reason", "seconds"}
    assert re.match(r"3 released, 1 failed in [\d.]+ s\n$", ran.err)


def test_add_for_machines(homing_cli, archive, photos):
    ran = homing_cli("add", archive, photos, "--json")
    assert ran.status == 0
    for answer in ran.objects:
        assert set(answer) == {"source", "status", "id", "seconds"}
        assert answer["status"] == "added"


def test_release_for_people(homing_cli, archive, photos):
    Path("photos/bad.png").write_text("no picture")
    ran = homing_cli("release", archive, photos, "--out", "out")
    lines = ran.out.splitlines()
    assert len(lines) == 3
    assert re.match(r"released   photos/0\.jpg  -> out/0\.jpg  4\d\.\d\d dB( |$)", lines[0])
    failed, summary = ran.err.splitlines()
    assert re.match(r"failed     photos/bad\.png  \(.+\)$", failed)
    assert summary.startswith("3 released, 1 failed in ")


def test_search_for_machines(homing_cli, archive, photos):
    Path("list.csv").write_text("path,title\nphotos/0.jpg,The sea\nphotos/1.jpg,\n")
    assert homing_cli("add", archive, "--manifest", "list.csv").status == 0
    Path("photos/bad.png").write_text("no picture")
    ran = homing_cli("search", archive, photos, "--k", "2", "--probes", "8", "--json")
    assert ran.status == 1
    keys = {"query", "seconds", "hits", "cells_searched", "cells"}
    assert [set(o) for o in ran.objects[:3]] == [keys] * 3
    keys = {"id", "similarity", "view", "cell", "code_distance", "metadata", "state", "region"}
    keys |= {
        "false_alarm_rate",
        "rate_is_bound",
        "rate_is_provisional",
        "is_copy",
        "confirmed",
        "verdict",
        "reason",
    }
    keys |= {"shown", "covered", "agreeing", "edits", "generation", "decision"}
    for answer in ran.objects[:3]:
        assert len(answer["hits"]) == 2
        for hit in answer["hits"]:
            assert set(hit) == keys
            assert -1 <= hit["similarity"] <= 1
            assert hit["view"] == "upright"
    assert ran.objects[0]["query"] == "photos/0.jpg"
    best = ran.objects[0]["hits"][0]
    assert (best["id"], best["metadata"]) == ("photos/0.jpg", {"title": "The sea"})
    assert best["similarity"] > 0.999
    assert ran.objects[1]["hits"][0]["metadata"] == {}
    assert set(ran.objects[3]) == {"query", "status", "reason"}
    assert ran.objects[3]["status"] == "failed"
    assert ran.err == ""


def test_search_for_people(homing_cli, archive, photos):
    ran = homing_cli("search", archive, "photos/0.jpg")
    assert (ran.status, ran.out) == (0, "Not found in this archive\n")
    assert ran.err.startswith("the archive is empty: record pictures with 'homing release archive")
    Path("list.csv").write_text("path,title\nphotos/0.jpg,The sea\n")
    homing_cli("add", archive, "--manifest", "list.csv")
    ran = homing_cli("search", archive, "photos/0.jpg")
    assert ran.out == (
        "The very file of photos/0.jpg\n"
        "  similarity 1.000  added     photos/0.jpg  title=The sea  the very file (byte for byte)\n"
    )
    Path("bad.png").touch()
    ran = homing_cli("search", archive, "bad.png")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("bad.png: failed: ")


@pytest.mark.parametrize("options", [[], ["--rerank", "0"], ["--probes", "auto"], ["--k", "99"]])
def test_search_takes_its_options(homing_cli, archive, photos, options):
    homing_cli("add", archive, photos)
    ran = homing_cli("search", archive, "photos/1.jpg", "--json", *options)
    assert ran.status == 0
    assert ran.objects[0]["hits"][0]["id"] == "1.jpg"


@pytest.fixture
def few_suffice(monkeypatch):
    """Let verdicts rest on tens of pictures. That they are right is tested elsewhere."""
    for name in ("archive.query.calibration", "archive.query.calibrate", "search.false_alarms"):
        monkeypatch.setattr(f"homing.{name}.LEAST_BACKGROUND", 20)
    monkeypatch.setattr("homing.search.false_alarms._PEAKS", 5)
    monkeypatch.setattr("homing.search.false_alarms._FAR", 1e300)  # none is a bound


def test_wrong_use_of_searches_says_what_to_do(homing_cli, archive, photos):
    homing_cli("add", archive, photos)
    ran = homing_cli("explain", archive, "photos/1.jpg", "--html", "no/folder/why.html")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "homing: --html: there is no folder 'no/folder'\n"
    ran = homing_cli("explain", archive, "photos/1.jpg", "--html", "/proc/why.html")
    assert ran.status == 2
    assert ran.err.startswith("homing: --html: '/proc/why.html' cannot be written: ")
    ran = homing_cli("duplicates", archive, "--similarity", "nan")
    assert (ran.status, ran.err) == (
        2,
        "homing: the similarity must be between -1 and 1, not nan\n",
    )
    Path("bad.png").write_text("no picture")
    ran = homing_cli("calibrate", archive, "bad.png")
    assert ran.status == 2
    assert ran.err.endswith("(1 of the files cannot be read)\n")


def test_pictures_are_compared_unless_refused(homing_cli, archive, photos):
    homing_cli("add", archive, photos)
    ran = homing_cli("search", archive, "photos/1.jpg")
    assert (ran.status, ran.err) == (0, "")
    assert "less similar, so not compared: " in ran.out
    alone = homing_cli("search", archive, "photos/1.jpg", "--no-confirm")
    assert "with fewer than 200 pictures homing cannot judge by similarity yet\n" in alone.out
    assert "'homing explain archive PICTURE" in alone.err


def test_a_search_says_what_may_be_done(homing_cli, archive):
    Path("many").mkdir()
    for seed, name in enumerate(("many/1.png", "many/2.png", "stranger.png")):
        details = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(details).resize((400, 300), Image.Resampling.BICUBIC).save(name)
    homing_cli("add", archive, "many")
    ran = homing_cli("search", archive, "stranger.png")
    assert ran.out.startswith("Not found in this archive\n")
    assert ran.err.splitlines() == [
        "not found? --views all also looks for turned and mirrored copies, and for parts"
    ]
    ran = homing_cli("search", archive, "stranger.png", "--views", "all", "--probes", "1")
    assert ran.err.splitlines() == [
        "1 picture: 1 not found; 1 of 8 cells searched",
        "a part of the archive was searched: --probes 8 searches all",
    ]
    for pack in (archive / "previews").iterdir():
        pack.unlink()
    ran = homing_cli("search", archive, "stranger.png", "--k", "2")
    assert ran.err.endswith(
        "2 hits could not be compared, for want of a preview: 'homing previews archive' makes "
        "missing ones\n"
    )


def test_a_calibrated_archive_gives_verdicts(homing_cli, archive, few_suffice):
    make_pictures(Path("many"), 30, digits=1)
    homing_cli("add", archive, "many")
    assert (archive / "calibration.json").exists()
    found = homing_cli("search", archive, "many/1.jpg", "--k", "2").out.splitlines()
    assert found[0] == "The very file of 1.jpg"
    found = homing_cli("search", archive, "many/1.jpg", "--k", "2", "--no-confirm").out.splitlines()
    alone = r"probably a copy, by similarity alone \(.*1 in .+ this similar\)$"
    assert re.match(rf"  similarity 1\.000  added     1\.jpg  {alone}", found[1])
    assert re.match(r"  similarity 0\.\d{3}  added .*  not found to be a copy \(.+\)$", found[2])
    ran = homing_cli("search", archive, "many/1.jpg", "--json", "--no-confirm")
    first, second = ran.objects[0]["hits"][:2]
    assert first["is_copy"] is True
    assert first["false_alarm_rate"] < 1e-4 < second["false_alarm_rate"]
    ImageEnhance.Brightness(picture(1)).enhance(0.8).save("darker.png")
    options = ["search", archive, "darker.png", "--json", "--no-confirm"]
    rate = homing_cli(*options).objects[0]["hits"][0]["false_alarm_rate"]
    for factor in (0.9, 1.1):
        ran = homing_cli(*options, "--rate", factor * rate)
        assert ran.objects[0]["hits"][0]["is_copy"] is (factor > 1)
    assert homing_cli("search", archive, "many/1.jpg", "--rate", "0").status == 2


def test_calibrate(homing_cli, archive, few_suffice):
    ran = homing_cli("calibrate", archive)
    assert ran.status == 2
    assert "at least 20" in ran.err
    make_pictures(Path("many"), 30, digits=1)
    homing_cli("add", archive, "many")
    (archive / "calibration.json").unlink()
    ran = homing_cli("calibrate", archive)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(
        "upright: of 30 entries that match nothing,\n  1 in 100 unrelated pictures "
    )
    answer = homing_cli("calibrate", archive, "many", "--json").objects
    assert [each["views"] for each in answer] == ["upright", "turned", "all"]
    for each in answer:
        places = list(each.pop("similarity_at").values())
        assert places == sorted(places)
        assert {k: v for k, v in each.items() if k != "views"} == {
            "background": "pictures", "entries": 30, "queries": 30
        }  # fmt: skip


def test_duplicates(homing_cli, archive, photos):
    Image.open("photos/1.jpg").save("photos/again.jpg", quality=80)
    homing_cli("add", archive, photos)
    ran = homing_cli("duplicates", archive)
    assert re.match(r" [01]\.\d{3}  added     1\.jpg\n.* again\.jpg  a copy of 1\.jpg\n$", ran.out)
    assert re.match(r"2 of 4 entries in 1 group; \d pairs compared", ran.err)
    answer = homing_cli("duplicates", archive, "--similarity", "0.9", "--json").objects
    assert [[entry["id"] for entry in group["entries"]] for group in answer] == [
        ["1.jpg", "again.jpg"]
    ]
    assert answer[0]["entries"][1]["copy_of"] == "1.jpg"


def test_duplicates_without_previews_say_so(homing_cli, archive, photos):
    Image.open("photos/1.jpg").save("photos/again.jpg", quality=80)
    homing_cli("init", "bare", "--previews", "0")
    homing_cli("add", "bare", photos)
    ran = homing_cli("duplicates", "bare")
    assert "without previews went by similarity" in ran.err
    ran = homing_cli("duplicates", "bare", "--similarity", "0.9")
    assert "again.jpg  probably a copy of 1.jpg, by similarity alone\n" in ran.out


def test_a_blank_picture_is_reported(homing_cli, archive, photos):
    homing_cli("add", archive, photos)
    Image.new("RGB", (40, 40)).save("dark.png")
    ran = homing_cli("search", archive, "dark.png")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == "Nearly blank: it cannot be searched for\n"
    (answer,) = homing_cli("search", archive, "dark.png", "--json").objects
    assert (answer["hits"], answer["note"][:12]) == ([], "nearly blank")


def test_explain(homing_cli, archive, tmp_path):
    image = Image.fromarray(skimage.data.astronaut())
    Path("photos").mkdir()
    image.save("photos/astronaut.png")
    ran = homing_cli("explain", archive, "photos/astronaut.png")
    assert ran.out == "photos/astronaut.png: Not found in this archive.\n"
    homing_cli("add", archive, "photos")
    image.crop((0, 0, 400, 400)).save("suspect.jpg")
    ran = homing_cli("explain", archive, "suspect.jpg")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("suspect.jpg: A copy of astronaut.png: 61 % of it")
    ran = homing_cli(
        "explain", archive, "suspect.jpg", "--files", "photos", "--html", "why.html", "--json"
    )
    (answer,) = ran.objects
    assert answer["confirmed"] is True
    assert answer["hit"]["id"] == "astronaut.png"
    assert answer["edits"][0].startswith("cropped to 61 % of the picture")
    assert Path("why.html").read_text().startswith("<!doctype html>")
    text = homing_cli("explain", archive, "suspect.jpg", "--files", "photos").out
    assert text.startswith("suspect.jpg: A copy of astronaut.png: 61 % of it")
    found = homing_cli("search", archive, "suspect.jpg", "--probes", "8").out
    assert found.startswith("A copy of astronaut.png: 61 % of it")
    assert found.splitlines()[1].endswith("  astronaut.png  a copy")
    Path("bad.png").touch()
    assert homing_cli("explain", archive, "bad.png").status == 1


def test_a_mirrored_copy_is_reported_as_mirrored(homing_cli, archive, photos):
    homing_cli("add", archive, photos)
    ImageOps.mirror(picture(1)).save("mirrored.png")
    ran = homing_cli("search", archive, "mirrored.png", "--views", "turned", "--k", "1")
    assert ran.out.splitlines()[1].endswith("1.jpg  (mirrored)  a copy")
    answer = homing_cli("search", archive, "mirrored.png", "--views", "all", "--json").objects
    assert answer[0]["hits"][0]["view"] == "mirrored"


LISTED = """\
added           96x72            0.jpg
added           96x72            new\\nline 图.jpg
released        96x72  NN.NN dB  photos/1.jpg
"""


def test_list_for_people(homing_cli, archive, photos):
    Path("photos/2.jpg").rename("photos/new\nline 图.jpg")
    homing_cli("add", archive, "photos/0.jpg", "photos/new\nline 图.jpg")
    Path("list.csv").write_text("path\nphotos/1.jpg\n")
    homing_cli("release", archive, "--manifest", "list.csv", "--out", "out")
    ran = homing_cli("list", archive)
    assert (ran.status, ran.err) == (0, "")
    assert re.sub(r"\d\d\.\d\d dB", "NN.NN dB", ran.out) == LISTED


SHOWN = """\
id              photos/1.jpg
state           released
file            ../out/photos/1.jpg
width           96
height          72
psnr            NN.NNN
generation      1
cell            C
further_cells   [C]
code            0123456789abcdef
created_at      TIME
source_sha256   SHA
file_sha256     SHA
preview_bytes   NNN
metadata        {'title': 'The sea'}
"""


def test_show_for_people(homing_cli, archive, photos):
    Path("list.csv").write_text("path,title\nphotos/1.jpg,The sea\n")
    homing_cli("release", archive, "--manifest", "list.csv", "--out", "out")
    ran = homing_cli("show", archive, "photos/1.jpg")
    shown = SHA.sub("SHA", TIME.sub("TIME", ran.out))
    shown = re.sub(r"(psnr +)\d\d\.\d{3}\b", r"\1NN.NNN", re.sub(r"(cell +)\d", r"\1C", shown))
    shown = re.sub(r"(further_cells +\[)\d", r"\1C", shown)
    shown = re.sub(r"(code +)[0-9a-f]{16}", r"\g<1>0123456789abcdef", shown)
    shown = re.sub(r"(preview_bytes +)\d+", r"\g<1>NNN", shown)
    assert shown == SHOWN


ENTRY_KEYS = {
    "id", "state", "file", "width", "height", "psnr", "generation", "cell", "further_cells",
    "code", "created_at", "source_sha256", "file_sha256", "preview_bytes", "metadata",
}  # fmt: skip


def test_entries_for_machines(homing_cli, archive, photos):
    homing_cli("add", archive, photos)
    answer = homing_cli("list", archive, "--json").objects
    assert [set(o) for o in answer] == [ENTRY_KEYS] * 3
    assert [o["id"] for o in answer] == ["0.jpg", "1.jpg", "2.jpg"]
    assert answer[0]["file"] is answer[0]["psnr"] is None
    assert SHA.fullmatch(answer[0]["source_sha256"])
    assert TIME.fullmatch(answer[0]["created_at"])
    assert homing_cli("show", archive, "2.jpg", "0.jpg", "--json").objects == [answer[2], answer[0]]


def test_show_reports_every_id(homing_cli, archive, photos):
    homing_cli("add", archive, photos)
    ran = homing_cli("show", archive, "nobody", "1.jpg", "--json")
    assert ran.status == 1
    assert [o["id"] for o in ran.objects] == ["1.jpg"]
    assert "'nobody'" in ran.err


def test_remove(homing_cli, archive, photos):
    homing_cli("add", archive, photos)
    ran = homing_cli("remove", archive, "1.jpg", "nobody", "--json")
    assert ran.status == 1
    assert ran.objects == [
        {"id": "1.jpg", "status": "removed"},
        {"id": "nobody", "status": "not there"},
    ]
    ran = homing_cli("remove", archive, "0.jpg")
    assert (ran.status, ran.out) == (0, "removed    0.jpg\n")
    assert [o["id"] for o in homing_cli("list", archive, "--json").objects] == ["2.jpg"]


def test_ids_that_look_like_options(homing_cli, archive):
    Path("p").mkdir()
    picture(0).save("p/--json.png")
    picture(1).save("p/-x.png")
    assert homing_cli("release", archive, "p", "--out", "out").status == 0
    assert {p.name for p in Path("out").iterdir()} == {"--json.png", "-x.png"}
    assert homing_cli("show", archive, "--json", "--", "--json.png").objects[0]["width"] == 96
    assert homing_cli("remove", archive, "--", "-x.png", "--json.png").status == 0


def test_stats(homing_cli, archive, photos):
    homing_cli("release", archive, photos, "--out", "out")
    (answer,) = homing_cli("stats", archive, "--json").objects
    assert set(answer) >= {
        "archive", "entries", "released", "added", "descriptor", "codebook",
        "codebook_fingerprint", "expect", "cells", "cells_used", "fullest_cell", "psnr_mean",
        "psnr_least", "bytes_on_disk", "bytes_of_codes", "version", "created_at", "created_by",
        "places", "further_places",
    }  # fmt: skip
    assert (answer["entries"], answer["released"], answer["added"]) == (3, 3, 0)
    lines = homing_cli("stats", archive).out.splitlines()
    assert len(lines) == len(answer)
    assert "entries                 3" in lines
    assert "expect                  -" in lines


def test_verify(homing_cli, archive, photos):
    homing_cli("release", archive, photos, "--out", "out")
    ran = homing_cli("verify", archive)
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == "3 entries, 3 previews and 3 released files verified, 0 problems\n"
    Path("out/1.jpg").unlink()
    ran = homing_cli("verify", archive, "--json")
    assert ran.status == 1
    assert [set(o) for o in ran.objects] == [{"id", "problem"}]
    assert ran.objects[0]["id"] == "1.jpg"
    assert homing_cli("verify", archive).out.startswith("1.jpg: its file ")
    assert homing_cli("verify", archive, "--no-files").status == 0


def test_compact(homing_cli, archive, photos):
    for number in range(3):
        homing_cli("add", archive, f"photos/{number}.jpg")
    (answer,) = homing_cli("compact", archive, "--json").objects
    assert set(answer) == {"files_removed", "files_added", "bytes_freed", "packs_removed"}
    assert answer["files_added"] == 1
    assert homing_cli("compact", archive).out.startswith("files removed: 0, files added: 0, ")
    assert homing_cli("verify", archive).status == 0


def test_release_for_further_codebooks(homing_cli, archive, photos, network_file):
    vectors = np.random.default_rng(1).standard_normal((600, 192)).astype(np.float32)
    descriptor = homing.load_descriptor(network_file)
    for name, factory in {"next": "IVF8,PQ8x8", "partner": "PCA16,LSH"}.items():
        trained = homing.train_codebook(vectors, factory, descriptor=descriptor.fingerprint)
        trained.save(f"{name}.safetensors")
    also = ["--also", "next.safetensors", "--also", "partner.safetensors"]
    ran = homing_cli("release", archive, photos, "--out", "out", *also, "--json")
    assert ran.status == 0
    for answer in ran.objects:
        kept, always = answer["also_kept"]  # with bits there is one cell
        assert (type(kept), always) == (bool, True)
    given = ["--descriptor", network_file, "--codebook", "archive/codebook.safetensors"]
    assert homing_cli("activate", photos, "--out", "loose", *given, *also).status == 0
    for number in range(3):
        released, activated = Path(f"out/{number}.jpg"), Path(f"loose/{number}.jpg")
        assert released.read_bytes() == activated.read_bytes()
    stranger = homing.train_codebook(vectors, "IVF8,PQ8x8", descriptor="e" * 64)
    stranger.save("stranger.safetensors")
    refused = homing_cli(
        "release", archive, photos, "--out", "other", *also, "--also", "stranger.safetensors"
    )
    assert refused.status == 2
    assert "stranger.safetensors" in refused.err
    assert "e" * 64 in refused.err


def test_activate_without_an_archive(homing_cli, archive, photos, network_file, codebook_file):
    given = ["--descriptor", network_file, "--codebook", codebook_file]
    ran = homing_cli("activate", photos, "--out", "out", *given, "--json")
    assert ran.status == 0
    assert [o["status"] for o in ran.objects] == ["activated"] * 3
    assert all(set(o) - {"notes"} == RELEASED_KEYS for o in ran.objects)
    assert sorted(p.name for p in Path("out").iterdir()) == ["0.jpg", "1.jpg", "2.jpg"]
    homing_cli("release", archive, photos, "--out", "released")
    for number in range(3):
        one, other = Path(f"out/{number}.jpg"), Path(f"released/{number}.jpg")
        assert one.read_bytes() == other.read_bytes()
    stamps = [p.stat().st_mtime_ns for p in sorted(Path("out").iterdir())]
    ran = homing_cli("activate", photos, "--out", "out", *given, "--json")
    assert [o["status"] for o in ran.objects] == ["skipped"] * 3
    assert [p.stat().st_mtime_ns for p in sorted(Path("out").iterdir())] == stamps


def test_a_name_too_long_costs_that_picture(
    homing_cli, archive, photos, network_file, codebook_file
):
    given = ["--descriptor", network_file, "--codebook", codebook_file, "--format", "webp"]
    picture(9).save(f"{'a' * 251}.png")
    ran = homing_cli("activate", f"{'a' * 251}.png", photos, "--out", "out", *given, "--json")
    assert ran.status == 1
    assert sorted(o["status"] for o in ran.objects) == ["activated"] * 3 + ["failed"]
    assert sorted(p.name for p in Path("out").iterdir()) == ["0.webp", "1.webp", "2.webp"]


def test_format_and_limits(homing_cli, archive, photos):
    ran = homing_cli("release", archive, photos, "--out", "out", "--format", "png", "--json")
    assert [o["file"] for o in ran.objects] == ["out/0.png", "out/1.png", "out/2.png"]
    for option, value in (("--max-pixels", "6000"), ("--max-bytes", "100")):
        for command in (["add", archive], ["search", archive], ["release", archive]):
            more = ["--out", "out"] if command[0] == "release" else []
            picture(9).save("fresh.jpg")
            ran = homing_cli(*command, "fresh.jpg", *more, option, value, "--json")
            assert ran.status == 1
            assert ran.objects[0]["status"] == "failed"
    assert homing_cli("release", archive, "fresh.jpg", "--out", "out").status == 0


def test_descriptors(homing_cli):
    answer = homing_cli("descriptors", "--json").objects
    keys = {"name", "version", "origin", "licence", "size_bytes", "sha256", "input_rule"}
    assert all(set(o) >= keys | {"dimension", "bundled"} for o in answer)
    names = [o["name"] for o in answer]
    assert names[0] == "homing-s"
    assert "sscd_disc_mixup" in names
    shown = homing_cli("descriptors").out
    assert all(name in shown for name in names)


@pytest.fixture
def train(homing_cli, tmp_path, monkeypatch, network_file):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        given = ["--descriptor", network_file, "--factory", "IVF2,PQ2x8", "--out", "c.safetensors"]
        return homing_cli("codebook", "train", *arguments, *given)

    return call


def test_codebook_train(homing_cli, train, photos):
    Path("photos/bad.png").write_text("no picture")
    make_pictures(Path("more"), 3, digits=1)  # with the same names
    ran = train(photos, "more", "--per-picture", "50", "--json")
    assert ran.status == 1
    (answer,) = ran.objects
    assert (answer["factory"], answer["cells"]) == ("IVF2,PQ2x8", 2)
    failed, note = ran.err.splitlines()
    assert failed.startswith("failed     photos/bad.png  (not a picture")
    assert note.startswith("trained on 300 vectors of 6 pictures")
    assert homing_cli("codebook", "show", "c.safetensors", "--json").objects == [answer]


def test_too_few_pictures_for_a_codebook_are_reported(train, photos):
    Path("photos/0.jpg").write_bytes(b"")
    ran = train(photos, "--per-picture", "2")
    assert (ran.status, ran.out) == (2, "")
    assert "needs at least 256 vectors" in ran.err
    assert "got 4. Use more pictures" in ran.err
    assert (
        "1 of 3 pictures could not be read; the first, photos/0.jpg: the file is empty" in ran.err
    )
    assert not Path("c.safetensors").exists()


def test_pictures_of_one_name_can_be_searched_together(homing_cli, archive, photos):
    homing_cli("add", archive, photos)
    make_pictures(Path("more"), 3, digits=1)
    ran = homing_cli("search", archive, photos, "more", "more/1.jpg", "--k", "1", "--json")
    assert ran.status == 0
    queries = [f"{folder}/{n}.jpg" for folder in ("photos", "more") for n in range(3)]
    assert [o["query"] for o in ran.objects] == queries


def test_a_picture_given_twice_counts_once(homing_cli, archive, photos):
    ran = homing_cli("add", archive, photos, photos, "--json")
    assert ran.status == 0
    assert [o["id"] for o in ran.objects] == ["0.jpg", "1.jpg", "2.jpg"]


def test_a_removed_archive_is_reported(archive, photos):
    opened = homing.open(archive)
    shutil.rmtree(archive)
    for action in (opened.stats, opened.compact, lambda: opened.add(photos)):
        with pytest.raises(homing.ArchiveError, match=r"there is no table at .* removed\?$"):
            action()


def test_codebook_show(homing_cli, codebook_file):
    keys = {"factory", "dimension", "cells", "code_bytes", "descriptor", "descriptor_fingerprint"}
    for source in (codebook_file, "IVF1024,PQ8x8"):
        (answer,) = homing_cli("codebook", "show", source, "--json").objects
        assert set(answer) == keys | {"fingerprint", "cells_only"}
        assert SHA.fullmatch(answer["fingerprint"])
    assert (answer["cells"], answer["code_bytes"], answer["descriptor"]) == (1024, 8, "homing-s")
    assert "factory                 IVF1024,PQ8x8\n" in homing_cli("codebook", "show", source).out


def test_json_stays_json_whatever_the_names(homing_cli, archive, photos):
    Path("photos/0.jpg").rename(b'photos/a"\xff\n\xe2\x80\xa8.jpg'.decode(errors="surrogateescape"))
    for command in (["add", archive, photos], ["search", archive, photos], ["list", archive]):
        ran = homing_cli(*command, "--json")
        assert ran.status == 0
        assert len([json.loads(line) for line in ran.out.split("\n") if line]) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["init", "new", "--codebook", "IVF1024,", "PQ8x8"], "write IVF1024,PQ8x8"),
        (["init", "archive"], "exists already, as an archive: use it"),
        (["init", "photos"], "exists already and is not empty"),
        (["bench", "photos", "--background", "nowhere"], "no file or folder 'nowhere'"),
        (["init", "new", "--codebook", "mime.safetensors"], "no codebook file 'mime.safetensors'"),
        (["init", "new", "--codebook", "IVF65,PQ8x8"], "IVF65,PQ8x8 ships|no codebook ships"),
        (["search", "archive", "https://example.org/a.jpg"], r"https://example.org/a.jpg is an ad"),
        (["explain", "archive", "https://example.org/a.jpg"], "download the picture first"),
        (["search", "https://example.org/archive", "a.jpg"], "is a web address, and an archive"),
        (["search", "archive", "photos/0.jpgg"], r"did you mean 'photos/0\.jpg'\?"),
        (["search", "nowhere", "photos"], "make one with 'homing init nowhere'"),
        (["serach", "archive", "photos"], r"There is no command 'serach'\. Did you mean search\?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_slips_of_newcomers_are_answered_with_what_to_do(
    homing_cli, archive, photos, arguments, words
):
    ran = homing_cli(*arguments)
    assert ran.status in (1, 2)
    assert re.search(words, ran.err)
    assert "Traceback" not in ran.err
