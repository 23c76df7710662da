"""XMP packets: joined with their extension, cleared of what is gone, given further properties."""

from xml.etree import ElementTree

from homing.images.formats.blocks.xmp import (
    Property,
    joined,
    parted,
    with_properties,
    without_behind,
)

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
HEAD = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'


def test_an_extension_becomes_part_of_the_packet() -> None:
    main = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + HEAD + b'><rdf:Description rdf:about="" '
        b'xmlns:xmpNote="n" xmpNote:HasExtendedXMP="AB" xmpNote:Kept="1"/></rdf:RDF></x:xmpmeta>'
    )
    extension = HEAD + b' xmlns:q="urn:q"><rdf:Description q:Long="text"/></rdf:RDF>'
    whole = joined(main, extension)
    assert whole is not None
    first, second = ElementTree.fromstring(whole).iter(f"{RDF}Description")
    assert first.attrib == {f"{RDF}about": "", "{n}Kept": "1"}
    assert second.attrib == {"{urn:q}Long": "text"}
    assert joined(main, b"no xml") is None


def test_a_long_packet_is_parted() -> None:
    packet = HEAD + b'><rdf:Description rdf:about="" xmlns:q="urn:q" q:a="1"/></rdf:RDF>'
    main, guid, extension = parted(packet)
    assert guid in main
    assert extension == packet
    whole = joined(main, extension)
    assert whole is not None
    assert b"HasExtendedXMP" not in whole
    assert b'q:a="1"' in whole


def test_names_of_what_stood_behind_go() -> None:
    packet = HEAD + (
        b' xmlns:GCamera="g" xmlns:Container="c" xmlns:hdrgm="h" xmlns:dc="d">'
        b'<rdf:Description GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1" '
        b'hdrgm:Version="1.0" dc:format="image/jpeg"><GCamera:MicroVideoOffset>22'
        b"</GCamera:MicroVideoOffset><Container:Directory><rdf:Seq><rdf:li>x</rdf:li></rdf:Seq>"
        b"</Container:Directory></rdf:Description></rdf:RDF>"
    )
    (only,) = ElementTree.fromstring(without_behind(packet))
    assert only.attrib == {"{d}format": "image/jpeg"}
    assert len(only) == 0


def test_properties_are_added_where_the_packet_lacks_them() -> None:
    added = [
        Property("dc:creator", "urn:dc", ("A & B", "C"), "Seq"),
        Property("dc:title", "urn:dc", ("Düne",), "Alt"),
        Property("photoshop:City", "urn:ps", ("Ulm",), ""),
    ]
    packet = HEAD + b' xmlns:p="urn:ps"><rdf:Description photoshop:City="Bonn"/></rdf:RDF>'
    packet = packet.replace(b"xmlns:p=", b"xmlns:photoshop=")
    for before, city in ((packet, "Bonn"), (None, "Ulm")):
        after = with_properties(before, added)
        assert after is not None
        root = ElementTree.fromstring(after)
        creators = root.find(".//{urn:dc}creator")
        assert creators is not None
        assert [each.text for each in creators.iter(f"{RDF}li")] == ["A & B", "C"]
        found = root.find(".//{urn:dc}title")
        assert found is not None
        assert [each.text for each in found.iter(f"{RDF}li")] == ["Düne"]
        assert city.encode() in after
        assert after.count(b"City") == (1 if before else 2)
    assert with_properties(b"no xml", added) is None
    assert with_properties(packet, []) == packet
