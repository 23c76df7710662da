"""Forwarded headers: believed from the proxies that are named, and from nobody else (addresses)."""

import asyncio

import pytest

from homing.serve.http.forwarded import ForwardedHeaders


def seen(peer, headers, proxies=("10.0.0.0/8", "127.0.0.1")):
    """Return client, scheme and host of a request as the application gets it."""
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)

    given = [(b"host", b"127.0.0.1:8000")]
    given += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "client": (peer, 5), "scheme": "http", "headers": given}
    asyncio.run(ForwardedHeaders(app, proxies)(scope, None, None))
    (found,) = scopes
    return found["client"][0], found["scheme"], dict(found["headers"])[b"host"].decode()


TOLD = {
    "X-Forwarded-For": "6.6.6.6, 7.7.7.7, 10.1.2.3",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "pictures.example",
}


@pytest.mark.parametrize("peer", ["127.0.0.1", "::ffff:10.9.9.9"])
def test_a_proxy_is_believed(peer):
    assert seen(peer, TOLD) == ("7.7.7.7", "https", "pictures.example")


@pytest.mark.parametrize("peer", ["7.7.7.7", "::1", "", "testclient"])
def test_others_are_not(peer):
    assert seen(peer, TOLD) == (peer, "http", "127.0.0.1:8000")


def test_nobody_is_believed_unless_named():
    assert seen("127.0.0.1", TOLD, proxies=()) == ("127.0.0.1", "http", "127.0.0.1:8000")


def test_nonsense_from_a_proxy_changes_nothing():
    nonsense = {"X-Forwarded-For": "6.6.6.6, x", "X-Forwarded-Proto": "gopher"}
    assert seen("127.0.0.1", nonsense) == ("127.0.0.1", "http", "127.0.0.1:8000")
