"""Factory strings: forms, sizes, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.codebooks import ACCEPTED_FORMS, Factory, parse_factory
from homing.errors import CodebookError

NUMBERS = st.integers(1, 1 << 24)
FACTORIES = st.one_of(
    st.builds(
        Factory,
        fine=st.sampled_from(["Flat", "SQ8", "RaBitQ"]),
        cells=NUMBERS,
        links=st.just(0) | st.integers(2, 512),
    ),
    st.builds(Factory, fine=st.just("PQ"), cells=st.just(0) | NUMBERS, sub_quantizers=NUMBERS),
    st.builds(
        lambda m, n: Factory("PQ", cells=n, sub_quantizers=m, rotation=m),
        NUMBERS,
        st.just(0) | NUMBERS,
    ),
    st.builds(
        Factory,
        fine=st.just("PQ"),
        cells=NUMBERS,
        sub_quantizers=NUMBERS,
        scan=st.sampled_from(["fs", "fsr"]),
    ),
    st.builds(Factory, fine=st.just("RaBitQ"), cells=NUMBERS, turned=NUMBERS),
    st.builds(Factory, fine=st.just("LSH"), components=st.just(0) | NUMBERS),
)


@given(FACTORIES)
def test_text_and_factory_round_trip(factory: Factory) -> None:
    assert parse_factory(str(factory)) == factory
    assert parse_factory(factory) is factory


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("PQ8", "PQ8x8"),
        ("IVF1024,PQ8", "IVF1024,PQ8x8"),
        (" OPQ4,IVF9,PQ4 ", "OPQ4,IVF9,PQ4x8"),
        ("IVF16, PQ8x8", "IVF16,PQ8x8"),
        ("ivf16,flat", "IVF16,Flat"),
        ("pca4,lsh", "PCA4,LSH"),
    ],
)
def test_other_spellings_have_one_canonical_form(text: str, canonical: str) -> None:
    assert str(parse_factory(text)) == canonical


@pytest.mark.parametrize("form", ACCEPTED_FORMS)
def test_every_form_named_in_the_message_is_accepted(form: str) -> None:
    text = form.replace("IVFn", "IVF7").replace("Qm", "Q4").replace("PCAk", "PCA3")
    text = text.replace("RRd", "RR32").replace("HNSWl,…", "HNSW8,Flat")
    assert str(parse_factory(text)).startswith(text.split(",")[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Flat",
        "SQ8",
        "IVF,Flat",
        "IVF0,Flat",
        "IVF16",
        "IVF16,LSH",
        "IVF16,PQ8x4",
        "IVF16,PQ0",
        "IVF99999999,Flat",
        "OPQ4,IVF16,PQ8x8",
        "OPQ4,IVF16,Flat",
        "OPQ4,LSH",
        "PCA8,IVF16,Flat",
        "PCA8,PQ4",
        "PCA0,LSH",
        "HNSW32",
        "IVF16,Flat,RFlat",
        "PQ4x4fsr",
        "PQ4x4",
        "IVF16,PQ4x8fs",
        "RaBitQ",
        "RR32,IVF16,Flat",
        "RR32,PQ4",
        "RR32,LSH",
        "PCA8,IVF16,RaBitQ",
        "IVF16_HNSW1,Flat",
        "IVF16_HNSW513,Flat",
        "IVF16_HNSW,Flat",
        "IVF١٦,Flat",
        "IVF16,Flat\nx",
        "train:IVF16,Flat",
    ],
)
def test_other_strings_are_refused_with_the_accepted_forms(text: str) -> None:
    with pytest.raises(CodebookError, match="Accepted forms: IVFn,Flat; IVFn,PQmx8"):
        parse_factory(text)


@pytest.mark.parametrize(
    ("text", "dimension", "hint"),
    [
        ("PQ5", 32, "divisor of 32"),
        ("PCA33,LSH", 32, "PCA32 or less"),
        ("LSH", 0, "length 0"),
        ("RR8,IVF4,RaBitQ", 32, "write RR32"),
    ],
)
def test_a_length_that_does_not_fit_is_refused(text: str, dimension: int, hint: str) -> None:
    with pytest.raises(CodebookError, match=hint):
        parse_factory(text).check_dimension(dimension)
