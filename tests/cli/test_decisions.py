"""Decisions on the command line."""

import re
from pathlib import Path

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")


def test_decide_list_and_undo(homing_cli, archive, photos):
    homing_cli("add", archive, photos)
    ran = homing_cli("decide", archive, "photos/0.jpg", "1.jpg", "not", "--by", "Ada")
    expected = "   1  photos/0.jpg is no copy of 1.jpg  (Ada, TIME)\n"
    assert (ran.status, TIME.sub("TIME", ran.out), ran.err) == (0, expected, "")
    (kept,) = homing_cli("decide", archive, "photos/2.jpg", "0.jpg", "copy", "--json").objects
    assert (kept["number"], kept["id"], kept["decision"]) == (2, "0.jpg", "copy")
    assert kept["by"]  # the login
    ran = homing_cli("decisions", archive)
    assert TIME.sub("TIME", ran.out).splitlines()[0] + "\n" == expected
    assert "photos/2.jpg is a copy of 0.jpg" in ran.out.splitlines()[1]
    assert homing_cli("decisions", archive, "--id", "0.jpg", "--json").objects == [kept]
    assert homing_cli("verify", archive).err.startswith("3 entries, 2 decisions, 3 previews and 0 ")
    ran = homing_cli("undecide", archive, "2", "7", "--json")
    assert ran.status == 1
    assert ran.objects == [kept | {"status": "undone"}]
    assert "there is no decision 7" in ran.err
    assert homing_cli("undecide", archive, "1").out.startswith("undone     1  photos/0.jpg is no ")
    assert homing_cli("decisions", archive).out == ""


def test_a_decision_on_an_entry_that_is_gone_says_so(homing_cli, archive, photos):
    homing_cli("add", archive, photos)
    homing_cli("decide", archive, "photos/0.jpg", "1.jpg", "not")
    homing_cli("remove", archive, "1.jpg")
    line = homing_cli("decisions", archive).out
    assert line.endswith("  not in force: the entry is gone\n")


def test_what_cannot_be_decided(homing_cli, archive, photos):
    homing_cli("add", archive, photos)
    Path("none.jpg").write_bytes(b"nothing")
    ran = homing_cli("decide", archive, "none.jpg", "1.jpg", "copy")
    assert ran.status == 1
    assert "none.jpg" in ran.err
    assert homing_cli("decide", archive, "photos/0.jpg", "nobody", "copy").status == 1
    assert homing_cli("decide", archive, "photos/0.jpg", "1.jpg", "perhaps").status == 2
