"""Answers whose head is not quite HTTP: what each transport takes, and what is said of what it does not take."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pytest_llmeval.core.errors import ErrorKind
from tests.support.asking import ask_model, failure
from tests.support.chat_bodies import completion, encoded

BODY = encoded(completion("Well."))
LENGTH = ("Content-Length", str(len(BODY)))
MANY = [(f"X-{number}", "a") for number in range(200)]
LEAN = [
    ([LENGTH, LENGTH], f"Duplicate Content-Length: b'Content-Length: {len(BODY)}'"),
    ([LENGTH, *MANY], "Too many headers received"),
]


@contextmanager
def answering(headers: list[tuple[str, str]]) -> Iterator[str]:
    """Give the spec of a model whose server answers with these headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            for header in headers:
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"openai:m@http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("headers", "told"), LEAN, ids=["one length twice", "many headers"])
def test_a_head_that_is_refused_says_what_is_wrong_with_it_and_what_to_do(
    headers: list[tuple[str, str]], told: str
) -> None:
    """In one line, without marks and classes of the client; the way that it names takes the answer."""
    with answering(headers) as spec:
        error = failure(spec, transport="lean")
        assert error.kind == ErrorKind.CONNECTION
        assert f": the head of the answer is not valid HTTP: {told}; fix the server " in str(error)
        assert "or try --llmeval-transport sdk" in str(error)
        assert "\\n" not in str(error) and "^" not in str(error)
        assert ask_model(spec, transport="sdk").text == "Well."


def test_lengths_that_contradict_each_other_are_refused_either_way() -> None:
    with answering([LENGTH, ("Content-Length", "5")]) as spec:
        assert "Duplicate Content-Length: b'Content-Length: 5'" in str(failure(spec, transport="lean"))
        assert "conflicting Content-Length" in str(failure(spec, transport="sdk"))
