"""Models of requests: options and forms, checked as they come."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from homing.activation import METHODS
from homing.options import GREATEST_PSNR, LEAST_PSNR, Activation, SearchOptions
from homing.serve.settings import Settings

_MOST_HITS, _MOST_CANDIDATES, _MOST_CELLS = 1000, 10_000, 65_536

Rate = Annotated[float, Field(gt=0, lt=1)]
Views = Literal["upright", "turned", "all"]


class EntryChange(BaseModel):
    """A change of an entry."""

    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, Any] = Field(
        description="Fields to be set, such as a caption; null removes one. All others stay."
    )


class DecisionForm(BaseModel):
    """A decision on a picture, which is sent with it or was saved with a search."""

    id: str = Field(max_length=4096, description="The entry.")
    decision: Literal["copy", "not"]
    token: str | None = Field(
        None, max_length=100, description="Of a saved search, in place of the picture."
    )


class UndoForm(BaseModel):
    """A decision to be undone."""

    undo: int = Field(ge=1, description="Its number.")


class PreviewForm(BaseModel):
    """Options of a preview."""

    psnr: float = Field(
        Activation.psnr, ge=LEAST_PSNR, le=GREATEST_PSNR, description="Least PSNR of the file, dB."
    )
    method: str = Field(Activation.method, max_length=40, description="Method of activation.")

    @field_validator("method")
    @classmethod
    def _check_method(cls, value: str) -> str:
        if value not in METHODS:
            raise PydanticCustomError(
                "method", "choose one of {known}", {"known": ", ".join(METHODS)}
            )
        return value

    def activation(self) -> Activation:
        """Return the options of the activation."""
        return Activation(**self.model_dump(include={"psnr", "method", "format"}))


class ReleaseForm(PreviewForm):
    """Options of a release by upload."""

    format: Literal["jpeg", "png", "webp", "tiff"] | None = Field(
        None, description="Format of the files written; each picture's own if not given."
    )
    prefix: str = Field("", max_length=200, description="Goes before each name in the ids.")
    webhook: str | None = Field(
        None,
        max_length=2048,
        description="https:// address that is sent a `WebhookMessage` when the release has ended.",
    )


class SearchQuery(BaseModel):
    """Options of a search, as of ``homing search``."""

    model_config = ConfigDict(extra="forbid")

    k: int = Field(SearchOptions.k, ge=1, le=_MOST_HITS, description="Hits, at most.")
    probes: Annotated[int, Field(ge=1, le=_MOST_CELLS)] | Literal["near", "auto"] = Field(
        "auto",
        description="Cells to visit; near: those nearly as near to the picture as its own; auto: "
        "these, and more while no hit is likely a copy.",
    )
    rerank: int = Field(
        SearchOptions.rerank,
        ge=0,
        le=_MOST_CANDIDATES,
        description="Nearest codes ordered by exact similarity.",
    )
    views: Views = Field("upright", description="Also search for it turned, or in part.")
    confirm: bool = Field(True, description="Compare the picture with those of the best hits.")
    rate: Rate = Field(
        SearchOptions.rate, description="False alarms a query for a hit to be called a copy."
    )

    def search_options(self, settings: Settings) -> SearchOptions:
        """Return the options for the archive."""
        values = self.model_dump(exclude={"probes", "keep"})
        probes = None if self.probes == "auto" else self.probes
        return SearchOptions(**values, probes=probes, files=settings.files, limits=settings.limits)


class SavedSearchQuery(SearchQuery):
    """Options of a search whose answer may be saved."""

    keep: bool = Field(False, description="Save picture and answer under a link.")


class CellsQuery(BaseModel):
    """Which cells of a picture are wanted, as of ``homing cells``."""

    model_config = ConfigDict(extra="forbid")

    probes: int = Field(1, ge=1, le=_MOST_CELLS, description="Cells of each view.")
    views: Views = Field("upright", description="Also of it turned, or in part.")
    generation: int | None = Field(None, ge=1, description="Number of the codebook; the newest.")


class VectorQuery(BaseModel):
    """A query described elsewhere, with the archive's own descriptor."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    vector: list[float] = Field(min_length=1, max_length=65_536)
