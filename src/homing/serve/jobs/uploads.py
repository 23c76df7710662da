"""Pictures going in: releases by upload, and previews of them."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any

from homing.errors import PictureError
from homing.options import Activation
from homing.serve.http.log import Log
from homing.serve.http.names import id_of
from homing.serve.http.uploads import Upload
from homing.serve.jobs.previews import Previews
from homing.serve.jobs.queue import Jobs
from homing.serve.jobs.store import Draft, Job, Picture, refuse_doubles
from homing.serve.settings import Settings
from homing.serve.tasks.decode import Check, Decoders, Draw
from homing.serve.tasks.limits import LOST
from homing.serve.tasks.release import Ready, Releaser, Tried, Try, too_much

_SIDE = 1600  # pixels of a preview
_GAIN = 20


class Publishing(AbstractContextManager["Publishing"]):
    """What takes pictures in; a context manager, within which they are released.

    Parameters
    ----------
    settings : Settings
    decoders : Decoders
        Running while it is used.
    in_memory : Semaphore
        Held for each picture that is in memory.
    log : Log

    Attributes
    ----------
    jobs : Jobs
    previews : Previews
    """

    def __init__(
        self, settings: Settings, decoders: Decoders, in_memory: asyncio.Semaphore, log: Log
    ) -> None:
        self._settings = settings
        self._decoders = decoders
        self._in_memory = in_memory
        self._log = log
        self._releaser, self._trier = Releaser(settings), Releaser(settings)
        self.jobs = Jobs(settings, self._releaser, self._on_problem)
        self.previews = Previews(settings.folder / "previews")
        self._open = ExitStack()

    def __enter__(self) -> "Publishing":
        """Start the parts."""
        for part in (self.previews, self._trier, self._releaser, self.jobs):
            self._open.enter_context(part)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End them."""
        self._open.__exit__(kind, error, trace)

    def prepare(self) -> None:
        """Have the process of previews started, for somebody who will want one."""
        self._trier.submit(Ready())

    async def release(self, uploads: Sequence[Upload], activation: Activation, prefix: str) -> Job:
        """Take pictures in to be released; they are on disk when this returns.

        Each is read once before, so that what is no picture is refused at once.

        Raises
        ------
        UsageError
            Two of them would have one id, or the prefix makes none.
        """
        pictures = [Picture(upload.name, id_of(upload.name, prefix)) for upload in uploads]
        refuse_doubles(pictures)
        draft = self.jobs.draft(activation)
        try:
            for picture, upload in zip(pictures, uploads, strict=True):
                async with self._in_memory:
                    await self._take_in(draft, picture, await upload.read())
            job = await asyncio.to_thread(draft.commit)
        finally:
            draft.discard()
        self.jobs.put(job)
        return job

    async def _take_in(self, draft: Draft, picture: Picture, data: bytes) -> None:
        try:
            kind = await self._decoders.run(Check(data, self._settings.limits))
        except PictureError as error:
            draft.refuse(picture, str(error))
        else:
            await asyncio.to_thread(draft.add, picture, data, kind)

    async def preview(self, upload: Upload, activation: Activation) -> dict[str, Any]:
        """Show what releasing would do to a picture.

        Returns
        -------
        dict
            psnr, ssim, cell_kept, and the paths of "before", "after" and "difference".
        """
        limits = self._settings.limits
        async with self._in_memory:
            data = await upload.read()
            await self._decoders.run(Check(data, limits))
            tried = await self._tried(Try(data, activation, limits))
            drawn = await self._decoders.run(Draw(data, tried.data, _SIDE, _GAIN, limits))
        return {
            "psnr": None if tried.psnr is None else round(tried.psnr, 3),
            "ssim": None if tried.ssim is None else round(tried.ssim, 5),
            "cell_kept": tried.cell_kept,
            **await asyncio.to_thread(self.previews.put, drawn),
        }

    async def _tried(self, task: Try) -> Tried:
        """Activate a picture, when those are done that came before; no release is waited for."""
        try:
            return await asyncio.wrap_future(self._trier.submit(task))
        except LOST as error:
            raise PictureError(too_much(self._settings)) from error

    def _on_problem(self, job: str, error: Exception) -> None:
        """Take note of a job that failed, or of a try that was lost."""
        self._log.problem("release failed", error, job=job)
