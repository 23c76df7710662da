"""Models of requests and answers, for checks and for the API's description (OpenAPI)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from homing.activation import METHODS
from homing.options import GREATEST_PSNR, LEAST_PSNR, Activation, SearchOptions
from homing.serve.settings import Settings

_MOST_HITS, _MOST_CANDIDATES, _MOST_CELLS = 1000, 10_000, 65_536

Rate = Annotated[float, Field(gt=0, lt=1)]
Views = Literal["upright", "turned", "all"]


class Failed(BaseModel):
    """The reason why a request failed."""

    error: str = Field(description="What was wrong, with what, and what to do.")
    kind: str | None = Field(
        None, description="Name of the error in `homing.errors`, if it is one of these."
    )


class Healthy(BaseModel):
    """The service runs."""

    status: Literal["ok"]
    version: str


class _Extensible(BaseModel):
    model_config = ConfigDict(extra="allow")


class HitAnswer(_Extensible):
    """An entry that a search returns."""

    id: str
    similarity: float = Field(description="Cosine of the descriptors; 1 is the same picture.")
    view: str
    cell: int
    code_distance: float
    state: Literal["released", "added"]
    region: list[int] | None = Field(description="Left, top, right, bottom in the query, pixels.")
    false_alarm_rate: float | None
    rate_is_bound: bool | None
    rate_is_provisional: bool | None = Field(
        description="Whether the rate rests on pictures that are not the archive's, as of one of "
        "few entries."
    )
    is_copy: bool | None
    confirmed: bool | None
    verdict: Literal["file", "copy", "part", "undecided", "none"] | None = Field(
        description="What the pictures, compared, say; null if they were not compared."
    )
    reason: str | None
    shown: float | None = Field(description="Share of the entry's picture in the query.")
    covered: float | None = Field(description="Share of the query that shows the entry.")
    agreeing: float | None
    edits: list[str]
    metadata: dict[str, Any]
    decision: dict[str, Any] | None = Field(
        None, description="What a person decided: number, copy, by, at, same_query."
    )


class DecisionAnswer(_Extensible):
    """A decision, as ``homing decisions --json`` prints it."""

    number: int
    query: str
    query_sha256: str | None
    id: str
    file_sha256: str
    source_sha256: str
    decision: Literal["copy", "not"]
    by: str = Field(description="Holder of the key; local without keys.")
    at: str
    in_force: bool = Field(description="False if the entry is gone: it counts for nothing.")


class DecisionPage(BaseModel):
    """Some decisions, in the order of their numbers."""

    decisions: list[DecisionAnswer]
    next: int | None = Field(description="Give it as `after` for the next page; null at the end.")


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


class SearchAnswer(_Extensible):
    """The object that ``homing search --json`` prints for a query."""

    query: str
    seconds: float
    hits: list[HitAnswer]
    note: str | None = None
    permalink: str | None = Field(
        None, description="Address of the saved answer, if `keep` was set."
    )


class Explained(_Extensible):
    """The object that ``homing explain --json`` prints, with the pictures of its page.

    Paths of the service's machine are left out.
    """

    query: str
    verdict: str
    positive: bool | None
    hit: HitAnswer | None
    query_cell: int | None
    confirmed: bool | None
    alignment: dict[str, Any] | None
    edits: list[str]
    reason: str | None
    facts: dict[str, str]
    figures: dict[str, str] = Field(description="query, entry, overlap: data: URIs of JPEGs.")


class EntryAnswer(_Extensible):
    """The object that ``homing show --json`` prints, without paths of the service's machine."""

    id: str
    state: Literal["released", "added"]
    file: str | None = Field(description="Address of a released picture's file.")
    width: int
    height: int
    psnr: float | None
    cell: int
    further_cells: list[int] = Field([], description="Cells that it is held in as well.")
    code: str
    created_at: str
    source_sha256: str
    file_sha256: str
    preview_bytes: int | None = Field(None, description="Size of its preview, if it has one.")
    metadata: dict[str, Any]


class EntryPage(BaseModel):
    """A page of entries, in the order of their ids."""

    entries: list[EntryAnswer]
    next: str | None = Field(description="Give it as `after` for the next page; null at the end.")


class JobAnswer(BaseModel):
    """A release by upload, and its progress."""

    job: str
    state: Literal["running", "done", "failed"]
    total: int
    done: int
    reason: str | None = Field(description="Why it failed; it is tried again at the next start.")
    outcomes: list[dict[str, Any]] = Field(description="As `homing release --json` prints them.")


class PreviewAnswer(BaseModel):
    """The change that a release would make to a picture."""

    psnr: float | None = Field(description="dB; null if nothing would change.")
    ssim: float | None
    ssimulacra2: float | None = Field(description="As seen, up to 100; from 85 on not told apart.")
    cell_kept: bool
    before: str
    after: str
    difference: str = Field(description="Twenty times as strong as it is.")


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


class CellsAnswer(BaseModel):
    """The object that ``homing cells --json`` prints for a query."""

    query: str
    cells: list[int] = Field(description="Nearest first.")


class VectorQuery(BaseModel):
    """A query described elsewhere, with the archive's own descriptor."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    vector: list[float] = Field(min_length=1, max_length=65_536)
