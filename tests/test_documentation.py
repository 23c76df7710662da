"""The documentation: its code runs, its links lead somewhere, its lists are complete.

Every block of Python or of commands runs, in the order of its page, unless a comment beside it says
why not: ``<!-- not run: REASON -->``. Measurements and installations are not run; their options,
scripts and extras are compared with those that there are.
"""

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest

import homing
from homing.cli.main import cli
from homing.demo.generated import generated_picture
from tests.helpers.code_blocks import ROOT, Block, blocks_of, pages
from tools.site import commands, library, links

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
#: Pages whose blocks another test runs, with more than is made here.
ELSEWHERE = {
    "docs/guides/your-own-index.md": "test_your_own_index.py",
    "docs/guides/threatexchange.md": "integrations/threatexchange/test_commands.py",
    "docs/guides/progress.md": "test_logging.py",
}
#: Pages that begin with an empty archive, and do not make it.
EMPTY = {"docs/reference/names.md"}
#: Pages that run in the quick tests; the others are slow ones.
QUICK = {"README.md", "docs/start/index.md"}
#: What measures: hours, and photographs that are not committed.
MEASURES = re.compile(r"^(python (benchmarks|training)/|homing bench |pytest )")

BLOCKS = [
    block
    for page in pages()
    for block in blocks_of(page)
    if block.language in {"python", "sh"} and block.page not in ELSEWHERE
]
RUN = [block for block in BLOCKS if block.reason is None]
PAGES = [
    page if page in QUICK else pytest.param(page, marks=pytest.mark.slow)
    for page in sorted({block.page for block in RUN})
]


def lines_of(block: Block) -> list[str]:
    """Return the commands of a block; a backslash or an indent continues one."""
    text = block.text.replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def is_checked_only(line: str) -> bool:
    return bool(MEASURES.match(line)) or line.startswith(("pip install", "make "))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the pages suppose it: pictures, a copy of one, lists, an archive."""
    folder = tmp_path_factory.mktemp("scene")
    for number in range(6):
        place = folder / ("photos" if number < 2 else "others" if number < 4 else "suspects")
        place.mkdir(exist_ok=True)
        picture = generated_picture(np.random.default_rng([7, number]), (160, 120))
        picture.save(place / f"{number}.png")
    suspect = generated_picture(np.random.default_rng([7, 0]), (160, 120))
    suspect.save(folder / "suspect.jpg", quality=60)
    lines = ["path;id;caption", "0.png;2026/harbour.png;Dawn", "1.png;2026/market.png;Noon"]
    (folder / "photos.csv").write_text("\n".join(lines), encoding="utf-8")
    archive = homing.create(folder / "archive")
    archive.release(folder / "photos", out=folder / "released", method="robust-fast")
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_code_runs(
    page: str, scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, homing_cli
) -> None:
    blocks = [block for block in RUN if block.page == page]
    folder = tmp_path / "scene"
    shutil.copytree(scene, folder)
    monkeypatch.chdir(folder)
    text = "\n".join(block.text for block in blocks)
    if page in EMPTY or re.search(r"homing init archive|create\(\"archive", text):
        shutil.rmtree("archive")
        shutil.rmtree("released")
    if page in EMPTY:
        homing.create("archive")
    values = {"images": [generated_picture(np.random.default_rng(8), (160, 120))]}
    for block in blocks:
        if block.language == "python":
            exec(compile(block.text, block.where, "exec"), values)
            continue
        for line in lines_of(block):
            if not is_checked_only(line):
                run_line(line, block, homing_cli)


def run_line(line: str, block: Block, homing_cli) -> None:
    for command in line.split(" && "):
        program, *arguments = shlex.split(command, comments=True)
        if program == "cp":
            shutil.copytree(*arguments[-2:])
        elif program == "homing":
            ran = homing_cli(*arguments)
            assert ran.status == 0, f"{block.where}: {command}: {ran.err}"
        else:
            pytest.fail(f"{block.where}: say beside it why {program!r} is not run")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_commands_have_the_options_that_are_named(block: Block) -> None:
    for line in lines_of(block) if block.language == "sh" else []:
        for command in line.split(" && "):
            program, *arguments = shlex.split(command, comments=True)
            if program == "homing":
                parse(arguments)
            elif program == "python" and arguments[0] != "-m":
                check_script(arguments)
            elif program == "pip":
                check_extras(arguments[1])
            elif program == "make":
                assert re.search(rf"^{arguments[0]}:", MAKEFILE, re.M), line


def parse(arguments: list[str]) -> None:
    """Parse a command line as click does, without converting its values."""
    command: click.Command = cli
    context = click.Context(cli, info_name="homing")
    while isinstance(command, click.Group):
        found = command.get_command(context, arguments[0])
        if found is None and command.name == "bench":  # its first argument may be a folder
            return
        assert found is not None, f"there is no command {arguments[0]!r}"
        command, arguments = found, arguments[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    command.make_parser(context).parse_args(list(arguments))


def check_script(arguments: list[str]) -> None:
    script = ROOT / arguments[0]
    assert script.is_file(), arguments[0]
    source = script.read_text(encoding="utf-8")
    source += "".join(p.read_text(encoding="utf-8") for p in (ROOT / "benchmarks").glob("_*.py"))
    for option in arguments[1:]:
        assert not option.startswith("--") or f'"{option}"' in source, f"{script.name}: {option}"


def check_extras(target: str) -> None:
    assert target.startswith("."), (
        f"homing is installed from a clone until it is published: {target}"
    )
    named = re.search(r"\[(.+)\]", target)
    assert set(named[1].split(",") if named else []) <= set(EXTRAS)


def test_reasons_are_given_for_blocks_alone() -> None:
    given = sum(page.read_text(encoding="utf-8").count("<!-- not run: ") for page in pages())
    assert given == sum(block.reason is not None for page in pages() for block in blocks_of(page))


def targets() -> Iterator[tuple[Path, str]]:
    """Yield the links and pictures of all pages that stand in the repository."""
    others = [*ROOT.glob("*.md"), *(ROOT / "examples").glob("*.md")]
    for page in {*pages(), *others}:
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if not re.match(r"[a-z]+:", target):
                yield page, target


def test_links_lead_somewhere() -> None:
    broken = []
    for page, target in targets():
        path, _, anchor = target.partition("#")
        file = page if not path else (page.parent / path).resolve()
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_picture_is_shown() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in pages())
    pictures = (ROOT / "docs" / "pictures").iterdir()
    assert [path.name for path in pictures if path.name not in text] == []


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    plain = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"[\s]+", "-", heading) for heading in plain}


def test_pages_that_are_named_are_there() -> None:
    named = {page.name: links.unknown(page.read_text(encoding="utf-8")) for page in pages()}
    assert {page: names for page, names in named.items() if names} == {}


def test_pages_named_by_their_path_are_there() -> None:
    named = set()
    for page in [*pages(), *ROOT.glob("*.md")]:
        named |= set(re.findall(r"`(docs/[\w/-]+\.md)`", page.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_pages_named_in_code_are_there() -> None:
    named = set()
    for folder in ("src", "benchmarks", "tests", "training"):
        for file in (ROOT / folder).rglob("*.py"):
            named |= set(re.findall(r"docs/[\w/-]+\.md", file.read_text(encoding="utf-8")))
    assert {name for name in named if not (ROOT / name).is_file()} <= {"docs/x.md"}


def test_the_site_lists_every_page() -> None:
    listed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    inside = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").glob("*/*.md")]
    assert [page for page in inside if f" {page}\n" not in listed] == []


def test_the_reference_has_every_command_and_name() -> None:
    made = commands.as_markdown()
    assert [name for name in cli.list_commands(None) if f"## homing {name}\n" not in made] == []
    assert library.names() >= set(homing.__all__) - {"__version__"}


def test_environment_variables_are_listed() -> None:
    page = (ROOT / "docs" / "reference" / "environment.md").read_text(encoding="utf-8")
    read = set()
    for file in Path(homing.__file__).parent.rglob("*.py"):
        source = file.read_text(encoding="utf-8")
        read |= set(re.findall(r"environ(?:\.get|\.setdefault)?[\[(]\"([A-Z_]+)\"", source))
    assert {name for name in read if f"`{name}`" not in page} == set()


def test_extras_are_listed() -> None:
    page = (ROOT / "docs" / "start" / "install.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \|", page, re.M))
    assert {name for name, packages in EXTRAS.items() if packages} == listed


def test_columns_of_the_table_are_listed(scene: Path) -> None:
    import lance

    page = (ROOT / "docs" / "reference" / "files.md").read_text(encoding="utf-8")
    schema = lance.dataset(scene / "archive" / "entries.lance").schema
    assert [name for name in schema.names if f"`{name}`" not in page] == []
    files = {path.name for path in (scene / "archive").iterdir()}
    assert [name for name in files if name not in page] == []


def test_names_of_pages_become_links() -> None:
    made = links.linked("See `searching.md`, `c2pa.md`, `training/log.md`.\n", "guides/x.md")
    found = "[Finding copies](../how/searching.md), [Content Credentials](c2pa.md)"
    assert made == f"See {found}, `training/log.md`.\n"
    code = "```sh\ncat `searching.md`\n```\n"
    assert links.linked(code, "guides/x.md") == code


def test_parts_that_pages_name_are_made() -> None:
    pytest.importorskip("mkdocs")
    from tools.site import hooks

    marks = {
        name
        for page in pages()
        for name in re.findall(r"^<!-- made by (\w+) -->$", page.read_text(encoding="utf-8"), re.M)
    }
    assert marks == set(hooks.MADE)


def test_marks_of_docstrings_and_tables_are_not_shown() -> None:
    pytest.importorskip("mkdocs")
    from types import SimpleNamespace

    from tools.site import hooks

    page = SimpleNamespace(file=SimpleNamespace(src_uri="a.md", dest_uri="a.html"))
    made = hooks.on_post_page(":class:<code>Hit</code><td><code>A\\|B</code></td>", page)
    assert made == "<code>Hit</code><td><code>A|B</code></td>"


def test_a_page_that_loads_from_elsewhere_is_refused() -> None:
    pytest.importorskip("mkdocs")
    from types import SimpleNamespace

    from mkdocs.exceptions import PluginError

    from tools.site import hooks

    page = SimpleNamespace(file=SimpleNamespace(src_uri="a/b.md", dest_uri="a/b.html"))
    shim = '<script src="https://unpkg.com/iframe-worker/shim"></script><a href="https://a.org">'
    assert hooks.on_post_page(shim, page).startswith('<script src="../search-from-disk.js">')
    with pytest.raises(PluginError, match=r"a/b\.md loads"):
        hooks.on_post_page('<link rel="stylesheet" href="https://fonts.org/x.css">', page)
