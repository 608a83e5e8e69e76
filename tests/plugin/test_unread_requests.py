"""Requests to an endpoint that HTTP refuses: the application is told, and so is the case."""

import pytest

from tests.support.project import Project

ASKING = """
def test_app(sample, model, score):
    import http.client, json
    from urllib.parse import urlsplit
    from pytest_llmeval import model_endpoint

    BODY = json.dumps({"messages": [{"role": "user", "content": "hello"}]}).encode()
    headers, path = {
        "header": ({"X-Baggage": "a" * 9000}, ""),
        "url": ({}, "?x=" + "a" * 9000),
        "longest": ({"X-Baggage": "a" * 99000}, ""),
        "key": ({"Authorization": b"Bearer \\xff\\xfe"}, ""),
        "zstd": ({"Content-Encoding": "zstd"}, ""),
        "gzip": ({"Content-Encoding": "gzip"}, ""),
        "cut": ({"Content-Length": str(len(BODY) + 1)}, ""),
    }[sample.input]
    with model_endpoint(model) as endpoint:
        client = http.client.HTTPConnection(urlsplit(endpoint.root_url).netloc, timeout=10)
        headers = {"Authorization": f"Bearer {endpoint.api_key}", **headers}
        client.request("POST", "/v1/chat/completions" + path, BODY, headers)
        if sample.input == "cut":
            client.sock.shutdown(1)
        try:
            status = client.getresponse().status
        except ConnectionError:
            status = None
        client.close()
    score.record("status", status or 0)
    score.exact("fallback", "fallback")
"""


@pytest.mark.parametrize("what", ["header", "url"])
def test_a_long_header_or_url_is_none_of_these(project: Project, what: str) -> None:
    """Applications that trace send them."""
    project.eval(ASKING, [{"id": what, "input": what}])
    project.run("evals").assert_outcomes(passed=1)
    assert len(project.server.ledger) == 1


def test_what_cannot_be_read_is_an_error_of_the_case(project: Project) -> None:
    """Also where the application makes an answer of the refusal."""
    asked = {
        "longest": "a request to the case's endpoint could not be read: Got more than 65536 bytes",
        "key": "POST /v1/chat/completions without the endpoint's key; give the application its `api_key`",
        "zstd": "could not be read",
        "gzip": "POST /v1/chat/completions: the body could not be read: RequestPayloadError: 400, message: Can not",
        "cut": "POST /v1/chat/completions: the body could not be read: ",
    }
    project.eval(ASKING, [{"id": each, "input": each} for each in asked])
    project.run("evals").assert_outcomes(errors=5)
    found = {row["sample_id"]: row for row in project.rows("SELECT sample_id, error_kind, error FROM cases")}
    assert {row["error_kind"] for row in found.values()} == {"code"}
    assert all(told in found[id_]["error"] for id_, told in asked.items())
    assert project.server.ledger == []
