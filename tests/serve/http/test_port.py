"""The port that a service listens on."""

import socket

import pytest

from homing.errors import UsageError
from homing.serve.http.port import check_port


def test_a_port_in_use_is_called_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port} of 127.0.0.1 is in use.*--port"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)
    check_port("localhost", 0)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="no address of this machine"):
        check_port(host, 0)
