"""IPTC datasets as properties of XMP."""

from homing.images.formats.blocks.iptc import properties_of


def dataset(number: int, value: bytes, record: int = 2) -> bytes:
    return bytes((0x1C, record, number)) + len(value).to_bytes(2, "big") + value


def test_datasets_become_properties() -> None:
    block = b"".join(
        (
            dataset(90, b"\x1b%G", 1),
            dataset(0, b"\0\4"),
            dataset(80, "Zoë".encode()),
            dataset(80, b"Ann"),
            dataset(116, b"(c) Zo"),
            dataset(55, b"20240102"),
            dataset(60, b"030405+0100"),
            dataset(30, b"20240101"),
        )
    )
    found, left = properties_of(block)
    values = {each.name: (each.values, each.sort) for each in found}
    assert values == {
        "dc:creator": (("Zoë", "Ann"), "Seq"),
        "dc:rights": (("(c) Zo",), "Alt"),
        "photoshop:DateCreated": (("2024-01-02T03:04:05+01:00",), ""),
    }
    assert left == ["IPTC dataset 2:30"]


def test_old_texts_are_in_latin_letters() -> None:
    (only,), _ = properties_of(dataset(90, "Köln".encode("latin-1")))
    assert only.values == ("Köln",)


def test_long_and_cut_datasets() -> None:
    long = b"\x1c\x02\x78\x80\x04" + (40_000).to_bytes(4, "big") + b"x" * 40_000
    (only,), _ = properties_of(long + b"\x1c\x02\x05\0\x09cut")
    assert only.values == ("x" * 40_000,)
