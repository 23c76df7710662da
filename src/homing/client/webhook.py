"""The receiving side of webhooks: messages verified and read."""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

from homing.client.answers import EndedRelease, from_json, read_answer
from homing.errors import UsageError

_TOLERANCE = 300.0  # seconds
_LEAST = 16  # bytes of a secret
_DIGITS = 20  # of a time


def read_webhook(
    secret: str, headers: Mapping[str, str], body: bytes, *, tolerance: float = _TOLERANCE
) -> EndedRelease:
    """Verify what a webhook was sent, and return it.

    Answer with 204 afterwards. A message may come twice, with the same `job` and `state`.

    Parameters
    ----------
    secret : str
        From :meth:`Client.webhook_secret`.
    headers : mapping
        Of the request; their names in any case.
    body : bytes
        Of the request, as it came.
    tolerance : float
        Seconds that the message may be old, or new.

    Returns
    -------
    EndedRelease

    Raises
    ------
    UsageError
        It is not signed with the secret, or too old.
    """
    values = {name.lower(): value for name, value in headers.items()}
    sent, given = values.get("webhook-timestamp", ""), values.get("webhook-signature", "")
    signed = f"{values.get('webhook-id', '')}.{sent}.".encode(errors="replace") + body
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if len(key) < _LEAST:  # an empty one, of a setting that is missing, would let anybody sign
        raise UsageError("the webhook's secret is none; give whsec_ and base64")
    digest = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    signatures = [each.removeprefix("v1,") for each in given.split() if each.startswith("v1,")]
    if not any(
        hmac.compare_digest(each.encode(errors="replace"), digest.encode()) for each in signatures
    ):
        raise UsageError("the message is not signed with this secret; answer 401, and ignore it")
    if not sent.isdecimal() or len(sent) > _DIGITS or abs(time.time() - int(sent)) > tolerance:
        raise UsageError(f"the message is not of the last {tolerance:g} seconds; ignore it")
    return from_json(EndedRelease, read_answer(body)["data"])
