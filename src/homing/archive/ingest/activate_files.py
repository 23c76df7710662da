"""Files activated without an archive: nothing is recorded."""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from homing.activation.activator import Activated, Activator
from homing.archive.ingest.run import (
    Observer,
    collect,
    outcome_with_file,
    outcome_without_file,
    refuse_output,
    refuse_store,
)
from homing.archive.ingest.staging import Staging, clear
from homing.archive.inputs import Input, refuse_clashes
from homing.archive.results import Outcome, Report
from homing.codebooks.any_codebook import AnyCodebook
from homing.descriptors import Descriptor
from homing.errors import PictureError
from homing.files.durable import make_folder, publish, refuses_name, sync_folder
from homing.images.limits import shown
from homing.options import DEFAULT_LIMITS, Activation, Limits, PathLike
from homing.progress import OnProgress


def activate_files(
    inputs: Sequence[Input],
    descriptor: Descriptor,
    codebook: AnyCodebook,
    *,
    out: PathLike,
    activation: Activation,
    limits: Limits = DEFAULT_LIMITS,
    progress: OnProgress | Observer | None = None,
) -> Report:
    """Activate files into a folder, made if need be; an existing file is never overwritten.

    The further codebooks of `activation` must be loaded.
    """
    observer = Observer.of(progress)
    observer.planned(len(inputs))
    refuse_store(out)
    folder = Path(out)
    refuse_output(folder, [])
    activator = Activator.of(descriptor, codebook, activation, limits)
    refuse_clashes(inputs, activator.kind, folder)
    outcomes = _activate(activator, inputs, folder, observer)
    return collect(outcomes, len(inputs), observer.progress)


def _activate(
    activator: Activator, inputs: Sequence[Input], out: Path, observer: Observer
) -> Iterator[Outcome]:
    to_do, clock = [], time.perf_counter()
    for item in inputs:
        final = out / item.destination_as(activator.kind)
        if os.path.exists(final):  # noqa: PTH110 - Path.exists raises for impossible names
            observer.skipped()
            yield outcome_without_file(item, "skipped", f"{shown(final)} exists already")
        else:
            to_do.append(item)

    def sources() -> Iterator[Path]:
        for item in to_do:
            if observer.stopped():
                return
            observer.begun()
            yield item.path

    results = activator.run(sources(), observer.worked)
    clear(out)
    with Staging(out) as staging:
        for item, result in zip(to_do, results, strict=False):  # fewer where it was stopped
            now = time.perf_counter()
            yield _place(item, result, staging, item.destination_as(activator.kind), now - clock)
            clock = now


def _place(
    item: Input,
    result: Activated | PictureError,
    staging: Staging,
    destination: Path,
    seconds: float,
) -> Outcome:
    """Write a picture's file and give it its name."""
    if isinstance(result, PictureError):
        return outcome_without_file(item, "failed", str(result))
    final = staging.out / destination
    staged = staging.write(result.data, destination, hashlib.sha256(result.data).digest())
    try:
        make_folder(final.parent)
        publish(staging.folder / staged.name, final)
        sync_folder(final.parent)
    except (FileExistsError, NotADirectoryError):
        return outcome_without_file(item, "skipped", f"{shown(final)} exists already")
    except OSError as error:
        if not refuses_name(error):
            raise
        reason = f"{shown(final)} cannot be written: {error.strerror}; rename the picture"
        return outcome_without_file(item, "failed", reason)
    finally:
        staging.discard(staged)
    return outcome_with_file(item, result, final, status="activated", seconds=seconds)
