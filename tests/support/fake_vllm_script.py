"""The text of the executable that ``fake_vllm`` writes; of the standard library alone.

``FAKE_VLLM`` says how it behaves: ``no-gpu``, ``no-bnb``, ``no-ninja``, ``port-taken``, ``port-taken-once`` (at the
first start), ``engine`` (a process of it fails), ``dies`` (with status 3, before it is healthy), ``slow`` (never
healthy), ``stubborn`` (deaf to SIGTERM), ``others`` (serves another name), ``lists-BODY`` (BODY is its list of
models), ``no-effect`` (adapters have none), ``nan`` (their likelihoods are no numbers), ``no-logprobs`` (it knows
none), ``crash-N`` (killed by the N-th chat completion), ``exit-N`` (ended by it with status 7).
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOW = os.environ.get("FAKE_VLLM", "")
NOTES = os.environ.get("FAKE_VLLM_NOTES", "")


def arguments() -> argparse.Namespace:
    """Return what vllm/engine/arg_utils.py and vllm/entrypoints/common/cli_args.py would read, as far as it is used."""
    parser = argparse.ArgumentParser(prog="vllm", allow_abbrev=False)
    serve = parser.add_subparsers(dest="subparser", required=True).add_parser("serve", allow_abbrev=False)
    serve.add_argument("model_tag")
    serve.add_argument("--host")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--served-model-name", nargs="+")
    serve.add_argument("--generation-config", default="auto")
    serve.add_argument("--default-chat-template-kwargs", type=json.loads)
    serve.add_argument("--seed", type=int, default=0)
    serve.add_argument("--disable-uvicorn-access-log", action=argparse.BooleanOptionalAction)
    serve.add_argument("--quantization", "-q")
    serve.add_argument("--dtype", choices=["auto", "bfloat16", "float", "float16", "float32", "half"], default="auto")
    serve.add_argument("--max-model-len", type=int)
    serve.add_argument("--gpu-memory-utilization", type=float, default=0.92)
    serve.add_argument("--tensor-parallel-size", type=int, default=1)
    serve.add_argument("--enable-lora", action=argparse.BooleanOptionalAction)
    serve.add_argument("--max-loras", type=int, default=1)
    serve.add_argument("--max-lora-rank", type=int, choices=[1, 8, 16, 32, 64, 128, 256, 320, 512], default=16)
    serve.add_argument("--lora-modules", nargs="+", type=json.loads, default=[])
    return parser.parse_args()


class Server(ThreadingHTTPServer):
    """Serves from the start, and is healthy a moment later."""

    daemon_threads = True

    def __init__(self, chosen: argparse.Namespace) -> None:
        super().__init__((chosen.host, chosen.port), Handler)
        self.names = ["another"] if HOW == "others" else chosen.served_model_name
        self.adapters = {module["name"]: module["path"] for module in chosen.lora_modules}
        self.healthy_at = time.monotonic() + (1e9 if HOW == "slow" else 0.3)
        self.asked = 0
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """The routes that are used."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Health needs no key; all below /v1 does."""
        if self.path == "/health":
            self.send(200 if time.monotonic() >= self.server.healthy_at else 503, None)
        elif HOW.startswith("lists-"):
            self.send_body(200, HOW.partition("-")[2].encode())
        elif self.is_known():
            self.send(200, {"object": "list", "data": [{"id": name} for name in (*self.server.names, *self.adapters)]})

    def do_POST(self) -> None:
        """Answer for a name that is served."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.is_known():
            return
        name = body["model"]
        if name not in (*self.server.names, *self.adapters):
            self.send(404, {"error": {"message": f"The model `{name}` does not exist.", "type": "NotFoundError"}})
        elif self.path == "/v1/completions":
            self.send(*self.likelihoods(name, body))
        else:
            self.send(200, self.chat(name, body))

    @property
    def adapters(self) -> dict[str, str]:
        """The adapters' folders by name."""
        return self.server.adapters

    def likelihoods(self, name: str, body: dict[str, Any]) -> "tuple[int, dict[str, Any]]":
        """Return a number for each word; an adapter shifts them."""
        if HOW == "no-logprobs":
            return 400, {"error": {"message": "logprobs are not known"}}
        shift = 0.5 if name in self.adapters and HOW != "no-effect" else 0.0
        shift = float("nan") if name in self.adapters and HOW == "nan" else shift
        found = [None, *(-1.0 - shift for _ in body["prompt"].split())]
        return 200, {"choices": [{"index": 0, "text": body["prompt"], "logprobs": {"token_logprobs": found}}]}

    def chat(self, name: str, body: dict[str, Any]) -> "dict[str, Any]":
        """Return the last message, and with an adapter its folder's name before it."""
        with self.server.lock:
            self.server.asked += 1
            number = self.server.asked
            with open(os.path.join(NOTES, "asked.jsonl"), "a") as file:
                file.write(f"{json.dumps(body)}\n")
        kind, _, at = HOW.partition("-")
        if kind in ("crash", "exit") and number >= int(at):
            say("EngineDeadError: the engine is gone")
            os.kill(os.getpid(), signal.SIGKILL) if kind == "crash" else os._exit(7)
        path = self.adapters.get(name)
        text = body["messages"][-1]["content"]
        text = f"{os.path.basename(path)}: {text}" if path else text
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return {"id": "chatcmpl-1", "object": "chat.completion", "model": name, "choices": [choice], "usage": usage}

    def is_known(self) -> bool:
        """Return whether the key is right; answer 401 where it is not."""
        known = self.headers.get("Authorization") == f"Bearer {os.environ['VLLM_API_KEY']}"
        if not known:
            self.send(401, {"error": "Unauthorized"})
        return known

    def send(self, status: int, content: object) -> None:
        """Send JSON, or nothing for None."""
        self.send_body(status, b"" if content is None else json.dumps(content).encode())

    def send_body(self, status: int, data: bytes) -> None:
        """Send bytes, JSON or not."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


def say(line: str) -> None:
    """Write a line to the log."""
    sys.stderr.write(f"{line}\n")


def main() -> None:
    """Serve until a signal ends it."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write("INFO a line before it\n0.33.0\n")
        return
    chosen = arguments()
    worker = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(300)"])
    told = {**vars(chosen), "argv": sys.argv[1:], "pids": [os.getpid(), worker.pid], "keeper": os.getppid()}
    told["environ"] = {name: os.environ.get(name) for name in ("VLLM_NO_USAGE_STATS", "HF_HUB_OFFLINE")}
    told["path"] = os.environ.get("PATH")
    is_first = not any(name.endswith(".json") for name in os.listdir(NOTES))
    partial = os.path.join(NOTES, f"{os.getpid()}.part")
    with open(partial, "w") as file:
        json.dump(told, file)
    os.rename(partial, partial.removesuffix("part") + "json")
    say("INFO loading the model")
    if HOW == "no-gpu":
        raise RuntimeError(
            "Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG`"
        )
    if HOW == "no-bnb" and chosen.quantization == "bitsandbytes":
        raise ValueError("Unknown quantization method: bitsandbytes. Must be one of ['awq', 'fp8'].")
    if HOW == "port-taken" or (HOW == "port-taken-once" and is_first):
        raise OSError(98, "Address already in use")
    if HOW == "engine":
        say("(EngineCore pid=7) ERROR [core.py:1] ValueError: No available memory for the cache blocks.")
        say("\n".join(["(APIServer pid=6) Traceback"] * 30))
        raise RuntimeError("Engine core initialization failed. See root cause above.")
    if HOW == "no-ninja":
        raise FileNotFoundError(2, "No such file or directory", "ninja")
    if HOW == "dies":
        sys.exit(3)
    if HOW == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Server(chosen).serve_forever()


if __name__ == "__main__":
    main()
