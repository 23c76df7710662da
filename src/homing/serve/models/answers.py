"""Models of answers: what the API's description says of them, and tests hold them to."""

import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from homing import errors

State = Literal["released", "added"]


class Answer(BaseModel):
    """An answer, to which later versions may add fields."""

    model_config = ConfigDict(extra="allow")


class Failed(Answer):
    """The reason why a request failed."""

    error: str = Field(description="What was wrong, with what, and what to do.")
    kind: Literal[tuple(errors.__all__)] | None = Field(  # type: ignore[valid-type]
        None, description="Name of the error in `homing.errors`, if it is one of these."
    )


class Healthy(Answer):
    """The service runs."""

    status: Literal["ok"]
    version: str = Field(description="Of homing.")


class HitDecision(Answer):
    """A person's decision on a hit, which overrules the comparison."""

    number: int = Field(description="Names it, to undo it.")
    copied: bool = Field(alias="copy", description="Whether the query is a copy of the entry.")
    by: str = Field(description="Holder of the key; local without keys.")
    at: datetime.datetime
    same_query: bool = Field(
        description="Whether it was made on this file; false: on one that shows next to the same."
    )


class HitAnswer(Answer):
    """An entry that a search returns."""

    id: str
    similarity: float = Field(description="Cosine of the descriptors, at most 1.")
    view: str = Field(description="Transformation of the query that matched; upright: none.")
    cell: int
    code_distance: float
    state: State
    generation: int | None = Field(
        None, description="Of the codebook of cell and code; null in an archive of one."
    )
    region: list[int] | None = Field(description="Left, top, right, bottom in the query, pixels.")
    false_alarm_rate: float | None = Field(
        description="Share of unrelated queries that have a hit which stands out as much."
    )
    rate_is_bound: bool | None = Field(description="Whether the true share is lower.")
    rate_is_provisional: bool | None = Field(
        description="Whether the rate rests on pictures that are not the archive's, as of one of "
        "few entries."
    )
    is_copy: bool | None = Field(description="Null if that is undecided.")
    confirmed: bool | None
    verdict: Literal["file", "copy", "part", "undecided", "none"] | None = Field(
        description="What the pictures, compared, say; null if they were not compared."
    )
    reason: str | None = Field(description="What the verdict rests on.")
    shown: float | None = Field(description="Share of the entry's picture in the query.")
    covered: float | None = Field(description="Share of the query that shows the entry.")
    agreeing: float | None = Field(description="Share of the blocks with detail that look alike.")
    edits: list[str] = Field(description="What was done to the copy, as far as it can be seen.")
    metadata: dict[str, Any] = Field(description="Of the entry.")
    decision: HitDecision | None = None


class Partial(Answer):
    """Part of the archive that the answer of a search leaves out."""

    entries_not_asked: int
    reason: str


class SearchAnswer(Answer):
    """The object that ``homing search --json`` prints for a query."""

    query: str = Field(description="Name of the picture.")
    seconds: float
    hits: list[HitAnswer] = Field(description="Best first.")
    cells_searched: int | None = Field(None, description="By each view of the query.")
    cells: int | None = Field(None, description="Cells that there are.")
    partial: Partial | None = None
    note: str | None = Field(
        None, description="Why there can be no hits, or what is wrong with the picture's file."
    )
    permalink: str | None = Field(
        None, description="Address of the saved answer, if `keep` was set."
    )


class UnreadQuery(Answer):
    """A picture that could not be searched for."""

    query: str
    status: Literal["failed"]
    reason: str


class CellsAnswer(Answer):
    """The object that ``homing cells --json`` prints for a query."""

    query: str
    cells: list[int] = Field(description="Nearest first.")


class Alignment(Answer):
    """How the entry's picture lies in the query."""

    agreeing: int = Field(description="Matches of local features; 0 if found from pixels alone.")
    mirrored: bool
    turned: float = Field(description="Degrees, clockwise.")
    scale: float = Field(description="An edge in the query over the same edge in the entry.")
    shown: float
    covered: float
    record_size: list[int] = Field(description="Width and height, pixels.")
    query_size: list[int]
    in_record: list[list[float]] = Field(description="Corners of what both show.")
    in_query: list[list[float]]


class Explained(Answer):
    """The object that ``homing explain --json`` prints, with the pictures of its page.

    Paths of the service's machine are left out.
    """

    query: str
    verdict: str = Field(description="A sentence.")
    positive: bool | None = Field(description="Whether it is a copy; null if undecided.")
    hit: HitAnswer | None
    query_cell: int | None
    confirmed: bool | None
    alignment: Alignment | None
    edits: list[str]
    reason: str | None
    facts: dict[str, str] = Field(description="Names and values, for people.")
    figures: dict[str, str] = Field(description="query, entry, overlap: data: URIs of JPEGs.")


class DecisionAnswer(Answer):
    """A decision, as ``homing decisions --json`` prints it."""

    number: int = Field(description="Names it, to undo it.")
    query: str
    query_sha256: str | None
    id: str = Field(description="The entry.")
    file_sha256: str
    source_sha256: str
    decision: Literal["copy", "not"]
    by: str = Field(description="Holder of the key; local without keys.")
    at: datetime.datetime
    in_force: bool = Field(description="False if the entry is gone: it counts for nothing.")


class DecisionPage(Answer):
    """Some decisions, in the order of their numbers."""

    decisions: list[DecisionAnswer]
    next: int | None = Field(description="Give it as `after` for the next page; null at the end.")


class EntryAnswer(Answer):
    """The object that ``homing show --json`` prints, without paths of the service's machine."""

    id: str
    state: State
    file: str | None = Field(description="Address of a released picture's file.")
    width: int
    height: int
    psnr: float | None = Field(description="dB; null: added, or released unchanged.")
    generation: int = Field(1, description="Of the codebook of cell and code.")
    cell: int
    further_cells: list[int] = Field([], description="Cells that it is held in as well.")
    code: str = Field(description="Hexadecimal.")
    created_at: datetime.datetime
    source_sha256: str
    file_sha256: str
    preview_bytes: int | None = Field(None, description="Size of its preview, if it has one.")
    metadata: dict[str, Any]


class EntryPage(Answer):
    """A page of entries, in the order of their ids."""

    entries: list[EntryAnswer]
    next: str | None = Field(description="Give it as `after` for the next page; null at the end.")


class OutcomeAnswer(Answer):
    """The outcome of one picture, as ``homing release --json`` prints it; no key is null."""

    source: str = Field(description="Name under which it was sent.")
    status: Literal["released", "skipped", "failed"]
    id: str | None = Field(None, description="Of the entry.")
    reason: str | None = Field(None, description="Why it was skipped or failed.")
    file: str | None = Field(None, description="Address of the released file.")
    psnr: float | None = Field(None, description="dB; absent if nothing changed.")
    ssim: float | None = None
    ssimulacra2: float | None = Field(
        None, description="As seen, up to 100; from 85 on not told apart."
    )
    cell_kept: bool | None = Field(
        None, description="Whether the file falls in the cell that it was activated for."
    )
    also_kept: list[bool] | None = None
    notes: list[str] | None = Field(None, description="What of the source was lost.")
    c2pa_manifest: str | None = Field(None, description="Id of the manifest it is signed with.")
    seconds: float


class WebhookAnswer(Answer):
    """Delivery of a webhook."""

    url: str
    state: Literal["waiting", "delivered", "failed"]
    attempts: int
    reason: str | None = Field(description="Why the last attempt failed.")


class JobAnswer(Answer):
    """A release by upload, and its progress."""

    job: str = Field(description="Its token.")
    state: Literal["running", "done", "failed"]
    total: int = Field(description="Pictures.")
    done: int = Field(description="Pictures that have an outcome.")
    reason: str | None = Field(description="Why it failed; it is tried again at the next start.")
    outcomes: list[OutcomeAnswer] = Field(description="In the order of the pictures.")
    webhook: WebhookAnswer | None = Field(None, description="Null if none was given.")


class WebhookSecret(Answer):
    """Secret by which the receivers of a key's webhooks verify messages."""

    secret: str = Field(description="As Standard Webhooks writes it: whsec_ and base64.")


class EndedRelease(Answer):
    """A release that has ended."""

    job: str
    state: Literal["done", "failed"]
    total: int = Field(description="Pictures.")
    released: int
    skipped: int
    failed: int
    reason: str | None = Field(description="Why it failed; it is tried again at the next start.")
    address: str = Field(description="Path of the job on the service's host.")


class WebhookMessage(Answer):
    """Message to a webhook when a release has ended.

    The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` are those of Standard
    Webhooks. A message may come twice, under one id.
    """

    type: Literal["release.done", "release.failed"]
    timestamp: datetime.datetime
    data: EndedRelease


class PreviewAnswer(Answer):
    """The change that a release would make to a picture."""

    psnr: float | None = Field(description="dB; null if nothing would change.")
    ssim: float | None
    ssimulacra2: float | None = Field(description="As seen, up to 100; from 85 on not told apart.")
    cell_kept: bool
    before: str = Field(description="Address of a PNG.")
    after: str
    difference: str = Field(description="Twenty times as strong as it is.")


class RouteLatency(Answer):
    """Seconds until the last thousand requests of a route were answered."""

    count: int
    p50: float
    p95: float


class Waiting(Answer):
    """Queries and releases that wait."""

    queries: int
    releases: int


class ServerFigures(Answer):
    """Figures of the service since its start."""

    seconds_up: float
    requests: int
    failures: int = Field(description="Answers of 500 and above.")
    latency: dict[str, RouteLatency] = Field(description="By route.")
    waiting: Waiting


class GenerationFigures(Answer):
    """Figures of one of several codebooks."""

    generation: int
    entries: int
    cells: int
    cells_used: int
    fullest_cell: int
    indexed: int
    index_codes: str | None = Field(None, description="Codes of the index on disk; null: no index.")


class Statistics(Answer):
    """The object that ``homing stats --json`` prints, and figures of the service."""

    archive: str = Field(description="Its name.")
    entries: int
    released: int
    added: int
    descriptor: str
    codebook: str
    codebook_fingerprint: str
    expect: int | None = Field(None, description="Entries that the archive was made for.")
    cells: int
    cells_used: int
    fullest_cell: int
    psnr_mean: float | None
    psnr_least: float | None
    places: int = Field(description="Cells that a released entry is held in.")
    further_places: int
    indexed: int
    index_codes: str | None = Field(None, description="Codes of the index on disk; null: no index.")
    previews: int
    bytes_on_disk: int
    bytes_of_previews: int
    bytes_of_codes: int
    version: int
    created_at: datetime.datetime
    created_by: str
    decisions: int
    generations: list[GenerationFigures] | None = Field(
        None, description="Of each codebook, where there are several."
    )
    server: ServerFigures
