"""Receivers of webhooks: what may be sent to, and the sending."""

import asyncio
import contextlib
import socket
import ssl
import threading

import pytest

from homing.errors import UsageError
from homing.serve.http.receivers import NoAnswerError, post, receiver_of
from homing.serve.settings import Settings
from tests.helpers.receivers import ListeningReceiver, write_certificate


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example/x",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "http://hooks.example/",  # without TLS
        "https://user:word@hooks.example/",
        "https://hooks.example:99999/",
        "https://hooks.example/ä",
        "https://hooks.example/a b",
        "https://hooks.example/\r\nX-Evil: 1",
        "https://[::1",
        "https:///path",
        "https://hooks.example/" + "x" * 3000,
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",  # of clouds
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://[::1]/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[::127.0.0.1]/",
        "https://[::ffff:0:127.0.0.1]/",
        "https://[fec0::1]/",
        "https://192.0.0.192/",  # of clouds
    ],
)
def test_what_is_no_public_address_by_tls_is_refused(url):
    with pytest.raises(UsageError, match="webhook"):
        receiver_of(url)


def test_an_address_has_its_parts():
    receiver = receiver_of("https://Hooks.Example/path?x=1#part")
    assert (receiver.host, receiver.port, receiver.target) == ("hooks.example", 443, "/path?x=1")
    assert receiver.authority == "hooks.example"
    assert receiver_of("https://[2606:4700::1]:8443").authority == "[2606:4700::1]:8443"
    assert receiver_of("http://hooks.local", ("Hooks.local",)).is_known
    assert receiver_of("http://10.0.0.1:80/", ("10.0.0.1:80",)).is_known
    assert receiver_of("http://[::1]:81/", ("[::1]",)).is_known
    with pytest.raises(UsageError, match="--webhook-host"):
        receiver_of("http://10.0.0.1:81/", ("10.0.0.1:80",))


@pytest.mark.parametrize("host", ["", "a b", "http://x", "x:port", "x/y", "u@x", "x:0"])
def test_hosts_of_the_settings_are_checked(host, tmp_path):
    with pytest.raises(UsageError, match="HOST"):
        Settings(archive="archive", folder=tmp_path, webhook_hosts=(host,))


def sent(url, *, known=(), addresses=("127.0.0.1",), headers=None):
    async def lookup(host, port):
        return list(addresses)

    async def send():
        async with asyncio.timeout(20):
            return await post(receiver_of(url, known), b'{"a": 1}', headers or {}, lookup)

    return asyncio.run(send())


def test_a_body_is_sent_and_the_status_returned_without_following():
    with ListeningReceiver(302) as receiver:
        status = sent(receiver.url, known=(receiver.host,), headers={"webhook-id": "1"})
    assert status == 302
    ((headers, body, _),) = receiver.got
    assert body == b'{"a": 1}'
    assert headers["target"] == "/hook?of=homing"
    assert headers["host"] == receiver.host
    assert headers["webhook-id"] == "1"


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("::ffff:10.0.0.1",), (), ("fe80::1%1",)],
)
def test_a_public_name_of_a_private_address_is_not_connected_to(addresses, monkeypatch):
    def connect(*given, **more):
        raise AssertionError(given)

    monkeypatch.setattr(asyncio, "open_connection", connect)
    with pytest.raises(NoAnswerError, match="no public address"):
        sent("https://hooks.example/", addresses=addresses)


def test_certificates_are_checked_for_the_name_and_not_the_address(tmp_path, monkeypatch):
    certificate = write_certificate(tmp_path / "receiver.pem")
    with ListeningReceiver(certificate=certificate) as receiver:
        url = f"https://hooks.example:{receiver.port}/"
        with pytest.raises(ssl.SSLCertVerificationError):
            sent(url, known=("hooks.example",))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert sent(url, known=("hooks.example",)) == 204
        with pytest.raises(ssl.SSLCertVerificationError):
            sent(f"https://other.example:{receiver.port}/", known=("other.example",))
    assert len(receiver.got) == 1


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"x" * 200_000, b"HTTP/1.1 abc\r\n"])
def test_what_does_not_answer_by_http_is_no_answer(answer):
    listening = socket.create_server(("127.0.0.1", 0))

    def talk():
        connection, _ = listening.accept()
        with connection:
            connection.recv(4096)
            with contextlib.suppress(OSError):
                connection.sendall(answer)

    thread = threading.Thread(target=talk)
    thread.start()
    with pytest.raises(OSError):  # noqa: PT011 - any: it may be reset as well
        sent(f"http://127.0.0.1:{listening.getsockname()[1]}/", known=("127.0.0.1",))
    thread.join()
    listening.close()
