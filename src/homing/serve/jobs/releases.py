"""Pictures taken in: releases by upload, and previews of them."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any

from homing.errors import PictureError
from homing.options import Activation
from homing.serve.access.secret import service_secret
from homing.serve.http.log import Log
from homing.serve.http.names import id_of
from homing.serve.http.receivers import receiver_of
from homing.serve.http.uploads import Upload
from homing.serve.jobs.queue import JobQueue
from homing.serve.jobs.store import Job, JobDraft, JobPicture, Webhook, refuse_duplicate_ids
from homing.serve.jobs.webhooks import Webhooks, webhook_secret
from homing.serve.settings import Settings
from homing.serve.tasks.decode import Decoders, check_picture, draw_change
from homing.serve.tasks.processes import do_nothing
from homing.serve.tasks.release import Releaser, try_activation
from homing.serve.tasks.turns import Turns
from homing.serve.token_folders import Previews

_SIDE = 1600  # pixels of a preview
_GAIN = 20


class Releases(AbstractContextManager["Releases"]):
    """Takes pictures in, and releases them while the context lasts.

    `decoders` must run as long; `turns` are those of their use.
    """

    def __init__(self, settings: Settings, decoders: Decoders, turns: Turns, log: Log) -> None:
        self._settings = settings
        self._decoders = decoders
        self._turns, self._preview_turns = turns, Turns(1)
        self._releaser, self._previewer = Releaser(settings), Releaser(settings)
        self.jobs = JobQueue(
            settings,
            self._releaser,
            lambda job, error: log.write_error("release failed", error, job=job),
            self._end,
        )
        self._secret = service_secret(settings.folder)
        self._webhooks = Webhooks(settings, self._secret, self.jobs.get, log)
        self.previews = Previews(settings.folder / "previews")
        self._open = ExitStack()

    def __enter__(self) -> "Releases":
        for part in (self.previews, self._previewer, self._releaser, self._webhooks, self.jobs):
            self._open.enter_context(part)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def _end(self, token: str) -> None:
        self._webhooks.notify(token)

    def prepare_preview(self) -> None:
        """Start the process of previews, which will soon be needed."""
        self._previewer.submit(do_nothing)

    def webhook(self, url: str | None, client: str) -> Webhook | None:
        """Return a client's webhook; `UsageError` if nothing may be sent to that address."""
        if url is None:
            return None
        receiver_of(url, self._settings.webhook_hosts)
        return Webhook(url, client)

    def webhook_secret(self, client: str) -> str:
        """Return what a client's receivers verify messages with."""
        return webhook_secret(self._secret, client)

    async def release(
        self,
        uploads: Sequence[Upload],
        activation: Activation,
        prefix: str,
        webhook: Webhook | None = None,
    ) -> Job:
        """Take pictures in to be released; they are on disk when this returns.

        Each is read once before, so that a file that is no picture is refused at once. `UsageError`
        if two have the same id, or the prefix makes none.
        """
        pictures = [JobPicture(upload.name, id_of(upload.name, prefix)) for upload in uploads]
        refuse_duplicate_ids(pictures)
        draft = self.jobs.draft(activation, webhook)
        try:
            for picture, upload in zip(pictures, uploads, strict=True):
                async with self._turns.take():
                    await self._take_in(draft, picture, await upload.read())
            job = await asyncio.to_thread(draft.commit)
        finally:
            draft.discard()
        self.jobs.put(job)
        return job

    async def _take_in(self, draft: JobDraft, picture: JobPicture, data: bytes) -> None:
        try:
            kind = await self._decoders.run(partial(check_picture, data, self._settings.limits))
        except PictureError as error:
            draft.refuse(picture, str(error))
        else:
            await asyncio.to_thread(draft.add, picture, data, kind)

    async def preview(self, upload: Upload, activation: Activation) -> dict[str, Any]:
        """Return figures, and addresses of "before", "after", "difference".

        Previews wait for each other, but for no release.
        """
        limits = self._settings.limits
        async with self._preview_turns.take():
            data = await upload.read()
            async with self._turns.take():
                await self._decoders.run(partial(check_picture, data, limits))
            trial = await self._previewer.run(partial(try_activation, data, activation, limits))
            drawing = partial(draw_change, data, trial.data, _SIDE, _GAIN, limits)
            async with self._turns.take():
                pictures = await self._decoders.run(drawing)
        return {
            "psnr": None if trial.psnr is None else round(trial.psnr, 3),
            "ssim": None if trial.ssim is None else round(trial.ssim, 5),
            "ssimulacra2": None if trial.ssimulacra2 is None else round(trial.ssimulacra2, 2),
            "cell_kept": trial.cell_kept,
            **await asyncio.to_thread(self.previews.put, pictures),
        }
