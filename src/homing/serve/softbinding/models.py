"""What goes in and comes out, in the names of the C2PA specification."""

import datetime
from typing import Literal

from pydantic import BaseModel, Field

from homing.c2pa import ALGORITHM

SPECIFICATION = "2.4.0"
"""Version of the specification whose Soft Binding Resolution API this is."""


class Match(BaseModel):
    """A manifest that a picture is taken for a copy of."""

    manifestId: str = Field(description="Id of an active manifest.")  # noqa: N815 - C2PA's name
    endpoint: str | None = Field(
        None, description="API where the manifest is to be had; absent: this one."
    )
    similarityScore: int = Field(  # noqa: N815 - C2PA's name
        ge=0, le=100, description="Cosine of the descriptors in hundredths; at least 0."
    )


class Matches(BaseModel):
    """Manifests that were found, most similar first."""

    matches: list[Match]


class BindingQuery(BaseModel):
    """A soft binding."""

    alg: str = Field(description="Name of its algorithm.", json_schema_extra={"enum": [ALGORITHM]})
    value: str = Field(description="Its value, in base64.")


class Algorithm(BaseModel):
    """An algorithm of soft bindings."""

    alg: str


class Algorithms(BaseModel):
    """Algorithms that queries may be of."""

    watermarks: list[Algorithm]
    fingerprints: list[Algorithm]


class Capabilities(BaseModel):
    """What this service offers of what the specification leaves open."""

    c2paSpecificationVersion: str  # noqa: N815 - C2PA's name
    supportedCapabilities: list[str]  # noqa: N815 - C2PA's name


class Status(BaseModel):
    """Whether the service works."""

    status: Literal["ok", "down"]
    timestamp: datetime.datetime


class Discovery(BaseModel):
    """Where the API is."""

    apiEndpoint: str  # noqa: N815 - C2PA's name
    c2paSpecificationVersion: str  # noqa: N815 - C2PA's name
    capabilitiesEndpoint: str  # noqa: N815 - C2PA's name
    statusEndpoint: str  # noqa: N815 - C2PA's name
