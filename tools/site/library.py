"""Reference of the Python library: the public names, for mkdocstrings to document."""

import homing
from homing import client, errors

#: Headings, and what stands under them.
SECTIONS = {
    "Archives": "create open Archive",
    "Activation without an archive": "activate activate_tensors ActivationLayer",
    "Descriptors and codebooks": "load_descriptor descriptor_from_callable Descriptor "
    "load_codebook train_codebook codebook_from_faiss Codebook FaissCodebook",
    "Answers to a search": "Hit Hits SearchResult Partial VectorMatches",
    "Reports": "Report Outcome Problem Verification Imported Indexed MadePreviews Calibration "
    "Generation Progress",
    "Settings": "Limits ContentCredentials",
    "Errors": " ".join(errors.__all__),
}


def names() -> set[str]:
    """Return the names that are documented."""
    return {name for names in SECTIONS.values() for name in names.split()}


def as_markdown() -> str:
    """Return the sections, each name with its directive, and names that have none at the end."""
    others = sorted(set(homing.__all__) - names() - {"__version__"})
    sections = SECTIONS | ({"More": " ".join(others)} if others else {})
    parts = []
    for heading, listed in sections.items():
        parts.append(f"## {heading}\n")
        parts.extend(map(_directive, listed.split()))
    parts.append("## A service, from Python\n")
    more = [name for name in client.__all__ if name not in names()]
    parts.extend(f"::: homing.client.{name}\n" for name in more)
    return "\n".join(parts)


def _directive(name: str) -> str:
    module, attribute = homing._HOMES.get(name, ("homing.errors", name))
    directive = f"::: {module}.{attribute}\n"
    return directive if name == attribute else f"{directive}    options:\n      heading: {name}\n"
