"""Who gets an answer: the person in front of the browser, and no page of another site."""

import pytest
from starlette.testclient import TestClient

from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.view.app import make_app
from pytest_llmeval.view.source import Source
from tests.view.conftest import NEW


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:80", "localhost:9999", "LOCALHOST", "[::1]:8765"])
def test_this_machine_may_ask(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "10.0.0.7:8765", "localhost.evil.example", "", "[", "[::2]", "0.0.0.0"],
)
def test_a_name_that_only_points_here_is_refused(client: TestClient, host: str) -> None:
    """DNS rebinding: the browser takes this server for one of another site then."""
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 403 and "Host" in answer.text


@pytest.mark.parametrize(
    ("listens", "asked", "status"),
    [
        ("0.0.0.0", "10.0.0.7:8765", 200),
        ("0.0.0.0", "localhost", 200),
        ("0.0.0.0", "evil.example", 403),
        ("box.lan", "BOX.lan:8765", 200),
        ("box.lan", "other.lan", 403),
    ],
)
def test_a_server_for_the_network_takes_its_own_name_and_addresses(
    source: Source, two_runs: SqliteStore, listens: str, asked: str, status: int
) -> None:
    with TestClient(make_app(source, listens), base_url="http://127.0.0.1") as client:
        assert client.get("/", headers={"Host": asked}).status_code == status


@pytest.mark.parametrize("address", ["/", f"/run?id={NEW}", "/assets/view.js", "/nix"])
def test_every_answer_forbids_what_pages_do_not_need(client: TestClient, two_runs: SqliteStore, address: str) -> None:
    headers = client.get(address).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_no_page_asks_another_host_or_holds_a_script_of_its_own(client: TestClient, two_runs: SqliteStore) -> None:
    for address in ("/", f"/run?id={NEW}", f"/label?run={NEW}"):
        text = client.get(address).text
        assert "http://" not in text and "https://" not in text and "//cdn" not in text
        assert text.count("<script") == 1 and " style=" not in text and "<style" not in text


@pytest.mark.parametrize("name", ["../app.py", "..%2f..%2fapp.py", "%2e%2e/guard.py", "view.css/../../app.py"])
def test_nothing_but_the_two_files_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/assets/{name}").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    assert client.request(method, "/", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 405
