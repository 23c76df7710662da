"""Models of requests and answers, in the names of the C2PA specification."""

import datetime
from typing import Literal

from pydantic import BaseModel, Field

from homing.c2pa import ALGORITHM

SPECIFICATION = "2.4.0"  # version whose Soft Binding Resolution API this is


class Match(BaseModel):
    """The manifest of an entry that a picture is taken for a copy of."""

    manifestId: str = Field(description="Id of an active manifest.")  # noqa: N815 - C2PA's name
    endpoint: str | None = Field(
        None, description="API that serves the manifest; absent: this one."
    )
    similarityScore: int = Field(  # noqa: N815 - C2PA's name
        ge=0,
        le=100,
        description="Cosine of the descriptors in hundredths; at least 0. By content, the pictures "
        "were compared, and a match is a copy at any score. By binding there is no picture: 100 is "
        "the recorded value, and less is similarity alone, at one false alarm in 10,000 queries.",
    )


class Matches(BaseModel):
    """Manifests, the surest first."""

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
    """The optional parts of the specification that this service offers."""

    c2paSpecificationVersion: str  # noqa: N815 - C2PA's name
    supportedCapabilities: list[str]  # noqa: N815 - C2PA's name


class Status(BaseModel):
    """The state of the service."""

    status: Literal["ok", "down"]
    timestamp: datetime.datetime


class Discovery(BaseModel):
    """The addresses of the API."""

    apiEndpoint: str  # noqa: N815 - C2PA's name
    c2paSpecificationVersion: str  # noqa: N815 - C2PA's name
    capabilitiesEndpoint: str  # noqa: N815 - C2PA's name
    statusEndpoint: str  # noqa: N815 - C2PA's name
