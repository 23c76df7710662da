"""Names sent by clients, made harmless."""

import json

from hypothesis import given
from hypothesis import strategies as st

import homing
from homing.serve.http.names import check_id, harmless_name, id_of


@given(st.text())
def test_any_name_is_made_harmless(name):
    harmless = harmless_name(name)
    assert harmless.isprintable()
    assert harmless not in ("", ".", "..")
    assert "/" not in harmless
    assert "\\" not in harmless
    assert len(harmless) <= 200
    assert harmless_name(harmless) == harmless
    assert id_of(name) == check_id(id_of(name))
    json.dumps(harmless, ensure_ascii=False).encode()


@given(st.text(), st.text())
def test_no_id_leads_elsewhere(name, prefix):
    try:
        made = id_of(name, prefix)
    except homing.UsageError:
        return
    assert ".." not in made.split("/")
    assert not made.startswith("/")
