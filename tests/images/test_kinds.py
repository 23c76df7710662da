"""Kinds of picture, and of file that are named, not read."""

import pytest

from homing.errors import PictureError
from homing.images import read_picture
from homing.images.kinds import HEAD, KINDS, OTHER_SUFFIXES, UNREAD, find_unread, sniff


def marked(mark: tuple[int, bytes]) -> bytes:
    at, content = mark
    return (b"\1" * at + content).ljust(HEAD, b"\0")


@pytest.mark.parametrize("kind", UNREAD, ids=lambda each: each.name)
def test_a_kind_is_known_by_each_of_its_marks(kind):
    for mark in kind.beginnings:
        assert find_unread(marked(mark)) is kind
        assert sniff(marked(mark)) == ""
        with pytest.raises(PictureError, match=f"^{kind.name}, which .*; {kind.remedy}$"):
            read_picture(marked(mark))
    for suffix in kind.suffixes:
        assert find_unread(b"\0\0", suffix) is kind


def test_no_suffix_stands_twice():
    suffixes = [suffix for kind in UNREAD for suffix in kind.suffixes]
    suffixes += [*KINDS, *OTHER_SUFFIXES]
    assert len(suffixes) == len(set(suffixes))
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in suffixes)


def test_text_and_other_files_are_none_of_them():
    for head in (b"", b"PK\3\4", b"<?xml version='1.0'?><html/>", b"plain text", bytes(HEAD)):
        assert find_unread(head) is None


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n  ", b"<?xml version='1.0'?><!-- -->"])
def test_a_drawing_is_known_behind_what_may_stand_before_it(start):
    found = find_unread(start + b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    assert found is not None
    assert found.name == "an SVG drawing"
