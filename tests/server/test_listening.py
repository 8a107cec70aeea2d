"""Sockets of the operating system."""

import socket

import pytest

from asr.errors import DeviceError
from asr.server.limits import Limits
from asr.server.listening import bind, make_server


def test_port_0_is_a_free_one():
    with bind("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0


def test_a_taken_port_is_named_with_the_next_step():
    with bind("127.0.0.1", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(DeviceError, match=f"127.0.0.1 port {port}") as caught:
            bind("127.0.0.1", port)
    assert "--port" in caught.value.hint


def test_an_address_that_is_not_ours_is_an_error():
    with pytest.raises(DeviceError, match=r"192\.0\.2\.1 port 0"):
        bind("192.0.2.1", 0)  # RFC 5737: nobody's


def test_what_the_system_holds_for_a_client_is_bounded():
    with bind("127.0.0.1", 0, send_buffer=8192) as listener:
        # Linux doubles what it is told, for its own bookkeeping.
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * 8192


def test_nobody_who_asks_is_logged():
    config = make_server(lambda scope, receive, send: None, Limits(message_bytes=1000)).config
    assert not config.access_log
    assert config.ws_max_size == 1000
