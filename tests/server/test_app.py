"""Addresses other than the two that recognise."""

import re

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from asr.server.app import PAGE, Settings
from asr.server.limits import Limits
from asr.server.security import Access

from ..tones import listener
from .serving import serving

ORIGIN = "https://example.org"


@pytest.fixture(scope="module")
def host():
    settings = Settings(
        access=Access("secret", frozenset([ORIGIN])), limits=Limits(streams=7), model="letters"
    )
    with serving(listener(), settings) as host:
        yield host


def get(host, path, token=True, **headers):
    headers |= {"authorization": "Bearer secret"} if token else {}
    return httpx.get(f"http://{host}{path}", headers=headers, trust_env=False)


def test_health_needs_no_token(host):
    assert get(host, "/health", token=False).json() == {
        "status": "ok",
        "model": "letters",
        "live_streams": 0,
        "live_streams_limit": 7,
    }


def test_metrics_are_for_those_with_the_token(host):
    assert get(host, "/metrics", token=False).status_code == 401
    names = {family.name for family in text_string_to_metric_families(get(host, "/metrics").text)}
    assert {"asr_live_streams", "asr_http_requests", "asr_live_delay_seconds"} <= names


def test_the_model_is_listed(host):
    assert [model["id"] for model in get(host, "/v1/models").json()["data"]] == ["letters"]


@pytest.mark.parametrize(("path", "status"), [("/v1/nothing", 404), ("/v1/live", 404)])
def test_what_is_not_there_is_said_in_openais_form(host, path, status):
    response = get(host, path)
    assert response.status_code == status
    assert response.json()["error"]["code"] == "not_found"


def test_a_wrong_method_is_said_with_the_right_ones(host):
    response = get(host, "/v1/audio/transcriptions")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/", *(f"/page/{file.name}" for file in sorted(PAGE.iterdir()))])
def test_the_page_needs_no_token_and_loads_nothing_from_elsewhere(host, path):
    response = get(host, path, token=False)
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["content-security-policy"]
    addresses = set(re.findall(r"https?://[\w.]+", response.text))
    assert addresses <= {"http://www.w3.org", "https://www.mmsp.ece.mcgill.ca", "http://localhost"}


def test_there_is_no_way_out_of_the_pages_folder(host):
    assert get(host, "/page/..%2fapp.py", token=False).status_code == 404


def test_allowed_pages_are_told_so_and_others_not(host):
    allowed = get(host, "/v1/models", origin=ORIGIN)
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    other = get(host, "/v1/models", origin="https://example.com")
    assert other.status_code == 403
    assert "access-control-allow-origin" not in other.headers
    url, wish = f"http://{host}/v1/models", {"access-control-request-method": "GET"}
    for origin, status in ((ORIGIN, 200), ("https://example.com", 400)):
        preflight = httpx.options(url, headers={"origin": origin, **wish}, trust_env=False)
        assert preflight.status_code == status
