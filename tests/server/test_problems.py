"""Refusals, read by the openai package's own types where there are any."""

import json

import pytest
from openai.types.shared import ErrorObject

from asr.server.problems import RefusedError


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (413, "invalid_request_error"),
        (415, "invalid_request_error"),
        (429, "rate_limit_error"),
        (503, "server_error"),
    ],
)
def test_the_body_is_openais_error_object(status, kind):
    response = RefusedError(status, "what", "why", param="file").response()
    error = json.loads(response.body)["error"]
    assert ErrorObject.model_validate(error).type == kind
    assert error == {"message": "what", "type": kind, "param": "file", "code": "why"}
    assert response.status_code == status


@pytest.mark.parametrize(("wait_s", "header"), [(0.01, "1"), (1.2, "2"), (10, "10")])
def test_when_to_try_again_is_whole_seconds_and_never_too_early(wait_s, header):
    response = RefusedError(503, "", "", retry_after_s=wait_s).response()
    assert response.headers["retry-after"] == header


def test_what_is_missing_is_said_to_browsers():
    assert RefusedError(401, "", "").response().headers["www-authenticate"] == "Bearer"
