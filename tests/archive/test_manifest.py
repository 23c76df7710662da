"""Manifests as people have them: separators, spellings of the header, encodings."""

from pathlib import Path

import pytest

import homing
from homing.archive.manifest import read_manifest

WANTED = [(2, {"path": "a.jpg", "id": "1", "title": "Sea, sky"}), (3, {"path": "b.jpg", "id": "2"})]
TABLE = 'path,id,title\na.jpg,1,"Sea, sky"\nb.jpg,2\n'


def read(tmp_path: Path, data: str | bytes, name: str = "list.csv"):
    file = tmp_path / name
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(read_manifest(file))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "header", ["path,id,title", "Path,ID,title", " PATH , Id ,title ", '"path","id","title"']
)
def test_separators_and_headers(tmp_path, separator, header):
    text = TABLE.replace("path,id,title", header).replace("Sea, sky", "Sea\0 sky")
    text = text.replace(",", separator).replace("\0", ",")
    assert read(tmp_path, text) == WANTED
    assert read(tmp_path, text.replace("\n", "\r\n"), "list.tsv") == WANTED


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_encodings(tmp_path, encoding):
    text = TABLE.replace("Sea", "Größe 図")
    values = read(tmp_path, text.encode(encoding))
    assert values[0][1]["title"] == "Größe 図, sky"
    lines = '{"Path": "a.jpg", "ID": 3, "title": "ü"}\n'.encode(encoding)
    assert read(tmp_path, lines, "list.jsonl") == [(1, {"path": "a.jpg", "id": 3, "title": "ü"})]


def test_blanks_behind_separators_belong_to_no_value(tmp_path):
    assert read(tmp_path, 'path, id, title\na.jpg, 1, "Sea, sky"\nb.jpg, 2\n') == WANTED
    assert read(tmp_path, "path,id\n a.jpg,1\n") == [(2, {"path": " a.jpg", "id": "1"})]


def test_what_stands_before_the_header(tmp_path):
    numbers = [line for line, _ in read(tmp_path, "sep=;\r\n\r\n" + TABLE.replace("\n", "\r\n"))]
    assert numbers == [4, 5]
    assert read(tmp_path, "\n\n") == []


def test_the_very_name_goes_before_another_spelling(tmp_path):
    assert read(tmp_path, "path,Path,ID,id\na,b,c,d\n") == [
        (2, {"path": "a", "Path": "b", "ID": "c", "id": "d"})
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("file;title\na.jpg;x\n", "line 1: no column is named 'path', but 'file', 'title'"),
        ("Path,PATH\na,b\n", "line 1: two columns are named 'path'"),
        ("path,Id,ID\na,b,c\n", "line 1: two columns are named 'id'"),
        ("path,title\na.jpg,Größe\n".encode("cp1252"), "line 2: not UTF-8; save it as UTF-8"),
        (b"\xff\xfep\0a\0t\0h\0\n", r"list\.csv: not UTF-16; save it as UTF-8"),
        (
            "path;id\na.jpg;1;x\n",
            "line 2: more values than columns; put quotes around a value that holds ';'",
        ),
        ('path\n"' + "a" * 200_000 + '"\n', "field larger"),
    ],
    ids=range(7),
)
def test_the_reason_is_the_true_one(tmp_path, data, message):
    with pytest.raises(homing.UsageError, match=message):
        read(tmp_path, data)


def test_a_missing_manifest_is_named_with_the_nearest(tmp_path):
    (tmp_path / "photos.csv").touch()
    with pytest.raises(
        homing.UsageError, match=r"no file .*fotos\.csv'; did you mean .*/photos\.c"
    ):
        list(read_manifest(tmp_path / "fotos.csv"))
