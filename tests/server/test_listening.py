"""Sockets of the operating system."""

import socket
import time

import pytest
from websockets.sync.client import connect

from asr.errors import DeviceError
from asr.server.limits import Limits
from asr.server.listening import bind, make_server

from ..tones import listener
from .serving import serving


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


def test_a_name_that_is_none_is_an_error():
    with pytest.raises(DeviceError, match=r"'a\.\.b'"):
        bind("a..b", 0)


@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nHost: 127"])
def test_who_asks_nothing_is_not_waited_for(monkeypatch, beginning):
    monkeypatch.setattr("asr.server.listening._REQUEST_S", 0.2)
    with serving(listener()) as host:
        name, port = host.split(":")
        with socket.create_connection((name, int(port)), timeout=10) as connection:
            connection.sendall(beginning)
            assert connection.recv(100) == b""


def test_who_has_asked_is_served_for_longer(monkeypatch):
    monkeypatch.setattr("asr.server.listening._REQUEST_S", 0.2)
    with serving(listener()) as host, connect(f"ws://{host}/v1/live", proxy=None) as client:
        time.sleep(0.5)
        client.send('{"type": "finish"}')
        assert "done" in client.recv(timeout=10)


def test_what_the_system_holds_for_a_client_is_bounded():
    with bind("127.0.0.1", 0, send_buffer=8192) as listener:
        # Linux doubles what it is told, for its own bookkeeping.
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * 8192


def test_nobody_who_asks_is_logged():
    config = make_server(lambda scope, receive, send: None, Limits(message_bytes=1000)).config
    assert not config.access_log
    assert config.ws_max_size == 1000
