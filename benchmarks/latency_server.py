"""An OpenAI-compatible server that answers after a fixed time, and counts what it was asked.

    python benchmarks/latency_server.py --latency-ms 200      # prints its address

``POST /v1/chat/completions`` answers with the text of the last message, and where a JSON schema is asked for, with the
best verdict that it allows: of each choice the last one, and the nonce of the message. ``GET /stats`` tells the counts
since the last ``POST /reset``; ``GET /wait?finished=N&seconds=S`` returns them as soon as N answers were sent, after S
seconds at the latest. It needs aiohttp, has neither router nor access log, and costs about 0.3 ms of CPU a call, since
it shares the machine with what is measured.
"""

import argparse
import asyncio
import contextlib
import json
import re
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

ANSWER = (
    '{"id":"chatcmpl-0","object":"chat.completion","created":1,"model":%s,"choices":[{"index":0,"finish_reason":"stop",'
    '"logprobs":null,"message":{"role":"assistant","content":%s,"refusal":null}}],'
    '"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}'
)

NONCE = re.compile(r"^END ANSWER (\w+)$", re.MULTILINE)


@dataclass(slots=True)
class Counts:
    """What happened since the last reset."""

    requests: int = 0
    finished: int = 0
    """Answers sent to a client that was still connected."""
    repeated: int = 0
    """Requests with a text that was asked before."""
    repeated_finished: int = 0
    """Requests with a text that was answered before."""
    in_flight: int = 0
    max_in_flight: int = 0
    first_request_at: float | None = None
    """On the monotonic clock, which all processes of a Linux machine share."""
    texts: dict[str, bool] = field(default_factory=dict)
    """Each text asked for, and whether it was answered."""

    def arrived(self, text: str) -> None:
        """Count a request."""
        if self.first_request_at is None:
            self.first_request_at = time.monotonic()
        self.requests += 1
        self.repeated += text in self.texts
        self.repeated_finished += self.texts.setdefault(text, False)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def left(self, text: str, *, answered: bool) -> None:
        """Count the end of a request."""
        self.in_flight -= 1
        if answered:
            self.finished += 1
            self.texts[text] = True


class LatencyServer:
    """Holds the counts and answers every path."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._counts = Counts()
        self._answered = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        if request.path == "/v1/chat/completions":
            return await self._complete(request)
        if request.path == "/reset":
            self._counts = Counts()
        if request.path == "/wait":
            await self._wait(int(request.query["finished"]), float(request.query["seconds"]))
        stats = asdict(self._counts) | {"cpu_s": time.process_time()}
        del stats["texts"]
        return web.json_response(stats)

    async def _complete(self, request: web.BaseRequest) -> web.Response:
        counts = self._counts
        data = json.loads(await request.read())
        text = data["messages"][-1]["content"]
        if isinstance(text, list):
            text = "".join(part["text"] for part in text)
        counts.arrived(text)
        await asyncio.sleep(self._latency_s)
        transport = request.transport
        counts.left(text, answered=transport is not None and not transport.is_closing())
        self._answered.set()
        form = data.get("response_format")
        said = text if form is None else json.dumps(_verdict(form["json_schema"]["schema"], text))
        tokens = len(text) // 4
        body = ANSWER % (json.dumps(data["model"]), json.dumps(said), tokens, tokens, 2 * tokens)
        return web.Response(body=body.encode("ascii"), content_type="application/json")

    async def _wait(self, finished: int, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._counts.finished < finished:
                    self._answered.clear()
                    await self._answered.wait()


def _verdict(schema: dict[str, Any], text: str) -> dict[str, Any]:
    """Return what a judge replies that finds everything good."""
    found: dict[str, Any] = {}
    for name, part in schema["properties"].items():
        if part["type"] == "object":
            found[name] = _verdict(part, text)
        elif name == "nonce":
            found[name] = NONCE.findall(text)[-1]
        else:
            found[name] = part.get("enum", ["All of it is there, word by word."])[-1]
    return found


async def serve(port: int, latency_s: float) -> None:
    """Serve until the process is ended; print the address first."""
    server = web.Server(LatencyServer(latency_s).handle)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", port, backlog=4096)
    print(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", flush=True)
    await listener.serve_forever()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--latency-ms", type=float, default=200)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.latency_ms / 1000))


if __name__ == "__main__":
    main()
