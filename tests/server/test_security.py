"""Who is let in, asked as a browser on another site and other programs would ask."""

import pytest
from starlette.requests import HTTPConnection

from asr.server.problems import RefusedError
from asr.server.security import Access, is_loopback


def connection(kind="http", query="", subprotocols=(), **headers):
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "headers": raw, "query_string": query.encode(), "path": "/"}
    return HTTPConnection(scope | {"subprotocols": list(subprotocols)})


def code(access, **request):
    """What is wrong, or None."""
    try:
        access.check(connection(**{"host": "127.0.0.1:8000", **request}))
    except RefusedError as error:
        return error.status, error.code
    return None


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1"])
def test_this_machine_is_itself_by_many_names(name):
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["example.org", "0.0.0.0", "10.0.0.1", "", "localhost.org"])
def test_others_are_not(name):
    assert not is_loopback(name)


def test_requests_for_the_name_of_an_allowed_origin_pass():
    access = Access(origins=frozenset(["https://captions.example.org"]))
    origin = "https://captions.example.org"
    assert code(access, host="captions.example.org", origin=origin) is None
    assert code(access, host="other.example.org") == (403, "wrong_host")


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_requests_for_this_machine_pass(host):
    assert code(Access(), host=host) is None


@pytest.mark.parametrize("host", ["example.org", "example.org:8000", "", "[::1", "@"])
def test_a_name_that_another_site_has_bound_to_this_machine_is_refused(host):
    assert code(Access(), host=host) == (403, "wrong_host")
    if host:
        assert code(Access(loopback_only=False), host=host) is None


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8000", "https://127.0.0.1:8000"])
def test_the_servers_own_page_passes(origin):
    assert code(Access(), origin=origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.org",
        "http://127.0.0.1:8001",
        "http://localhost:8000",
        "null",
        "",
        "http://[bad",
    ],
)
def test_pages_of_other_origins_are_refused_unless_allowed(origin):
    assert code(Access(), origin=origin) == (403, "origin_not_allowed")
    assert code(Access(origins=frozenset([origin])), origin=origin) is None


def test_a_token_must_be_there_and_right():
    access = Access("secret")
    assert code(access) == (401, "missing_token")
    assert code(access, authorization="Basic secret") == (401, "missing_token")
    assert code(access, authorization="Bearer Secret") == (401, "invalid_api_key")
    assert code(access, authorization="Bearer sécret") == (401, "invalid_api_key")
    assert code(access, authorization="bearer secret") is None


def test_only_a_websocket_may_carry_it_elsewhere():
    access = Access("secret")
    assert code(access, query="token=secret") == (401, "missing_token")
    assert code(access, kind="websocket", query="token=secret") is None
    assert code(access, kind="websocket", subprotocols=["asr.live", "bearer.secret"]) is None
    assert code(access, kind="websocket", subprotocols=["bearer.x"]) == (401, "invalid_api_key")
