"""Spellings of ids."""

import pytest

from homing.archive.ids import composed, spellings


def test_what_is_ascii_has_one_spelling():
    assert spellings("sea/1.jpg") == ("sea/1.jpg",)
    assert spellings("図") == ("図",)


@pytest.mark.parametrize("given", ["\u00e9", "e\u0301", "\ud55c", "\u1112\u1161\u11ab", "\u212b"])
def test_the_one_given_comes_first(given):
    forms = spellings(given)
    assert forms[0] == given
    assert composed(given) in forms
    assert len({composed(form) for form in forms}) == 1
    assert len(set(forms)) == len(forms) >= 2
