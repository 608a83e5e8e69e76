"""The command ``llmeval doctor``: what is installed, configured and reachable, and how to fix what is not."""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import click

from pytest_llmeval.cli.models import weights_place
from pytest_llmeval.cli.output import echo_lines, emit_json, json_option
from pytest_llmeval.cli.project import Project, find_project, project_models, project_redactor
from pytest_llmeval.core.errors import ModelError, SettingsError, UserError
from pytest_llmeval.core.text import and_more, counted, printable
from pytest_llmeval.loaders.thresholds import load_thresholds
from pytest_llmeval.models.base_url import BaseUrl
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.choice import choose_judges, choose_models, default_models
from pytest_llmeval.models.host_memory import free_host_bytes
from pytest_llmeval.models.http.proxies import proxy_for
from pytest_llmeval.models.http.transport import TransportName
from pytest_llmeval.models.keys import is_usual_name
from pytest_llmeval.models.local.server import why_unloadable
from pytest_llmeval.models.local.weights import default_cache_dir, smollm2_path
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.specs import storable_spec
from pytest_llmeval.models.unread_files import NOT_READ, refuse_unread, unread_files
from pytest_llmeval.models.vllm.executable import find_vllm, vllm_version
from pytest_llmeval.store.check import check_database, check_sound
from pytest_llmeval.store.journal import damaged_journals
from pytest_llmeval.store.sqlite_reader import check_rows
from pytest_llmeval.training.machine import usable_gpus

__all__ = ["doctor"]

_CONNECT_S = 3.0
"""Seconds to wait for the connection to a server."""
_PROBE_S = 60.0
"""Seconds to wait for pytest's answer."""
_SETTINGS = "settings"
_TRAINING = ("accelerate", "bitsandbytes", "datasets", "filelock", "torch", "transformers", "trl", "peft")
"""Packages of the extra ``train``."""
_GPUS = 4
"""Largest number of GPUs that are named."""
_LAST_LINES = 4
"""Number of last lines of pytest's output that are shown if it does not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of one check."""

    state: Literal["ok", "note", "problem"]
    what: str
    found: str


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Show what is installed, reachable and configured. The exit status is 1 if something is broken."""
    project = find_project()
    redact = project_redactor(project)
    findings: dict[Finding, None] = {}
    for each in (finding for look in _LOOKS for finding in _findings(look, project)):
        finding = replace(each, found=redact(each.found))
        if finding not in findings and not as_json:
            echo_lines([_line(finding)])  # at once: the checks of a large database take half a minute
        findings[finding] = None
    if as_json:
        emit_json(list(findings))
    return int(any(finding.state == "problem" for finding in findings))


def _findings(look: Callable[[Project], Iterator[Finding]], project: Project) -> Iterator[Finding]:
    """Yield the findings of ``look``, up to the first invalid setting."""
    try:
        yield from look(project)
    except SettingsError as error:
        yield Finding(state="problem", what=_SETTINGS, found=str(error))


def _line(finding: Finding) -> str:
    return f"{finding.state:<8} {finding.what}: " + printable(finding.found).replace("\n", "\n         ")


def _versions(project: Project) -> Iterator[Finding]:
    names = ("pytest-llmeval", "pytest", "pytest-xdist", "pytest-html", "aiohttp", "openai", "sqlite-utils")
    yield _ok("python", platform.python_version())
    for name in names:
        try:
            yield _ok(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield _note(name, "not installed")


def _embedded(project: Project) -> Iterator[Finding]:
    if importlib.util.find_spec("xllamacpp") is None:
        yield _note("local:smollm2", "not installed: pip install 'pytest-llmeval[local]'")
    elif (unloadable := why_unloadable()) is not None:
        yield Finding(state="problem", what="local:smollm2", found=unloadable)
    else:
        yield _weights(is_default=not project.values("model"))


def _weights(*, is_default: bool) -> Finding:
    """Check for the weights of the embedded model; without a folder for them, all other models still work."""
    try:
        cache = default_cache_dir()
    except ModelError as error:
        message = str(error).removeprefix("local:smollm2: ")
        return Finding(state="problem" if is_default else "note", what="local:smollm2", found=message)
    if smollm2_path(cache) is None:
        return _note("local:smollm2", "installed; weights (93 MB) are fetched on first use or by llmeval models fetch")
    return _ok("local:smollm2", f"ready, weights in {cache}")


def _in_process(project: Project) -> Iterator[Finding]:
    """Check for the packages of ``hf:`` models without importing them, which takes seconds."""
    packages = ("torch", "transformers", "accelerate", "peft", "bitsandbytes", "gguf")
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        found = f"not installed: pip install 'pytest-llmeval[hf]' (missing: {', '.join(missing)})"
        yield _note("hf: models", found)
    else:
        yield _ok("hf: models", ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages[:2]))
    for model in _listed(project):
        if (weights := model.spec.weights) is not None:
            yield _tried(f"model {model.name}", lambda: str(weights_place(weights, project.environ)))


def _training(project: Project) -> Iterator[Finding]:
    """Check for what a training needs, in its own way: packages without importing them, GPUs by CUDA's driver."""
    missing = [name for name in _TRAINING if importlib.util.find_spec(name) is None]
    machine = _machine(project)
    if missing:
        extra = f"pip install 'pytest-llmeval[train]' (missing: {', '.join(missing)})"
        yield _note("training", f"not installed: {extra}; {machine}")
        return
    has_search = importlib.util.find_spec("optuna") is not None
    search = "search: " + (
        f"optuna {importlib.metadata.version('optuna')}" if has_search else "pip install 'pytest-llmeval[search]'"
    )
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _TRAINING[-2:])
    yield _ok("training", f"{versions}; {search}; {machine}")


def _machine(project: Project) -> str:
    """Return the GPUs that a training may use here, and the free memory."""
    gpus = [f"{name} with {total / 2**30:.1f} GiB" for name, total in usable_gpus(project.environ)]
    free = free_host_bytes(0)
    ram = f", {free / 2**30:.1f} GiB of memory free" if free else ""
    return f"{and_more(gpus, _GPUS) or 'no usable CUDA GPU'}{ram}"


def _served(project: Project) -> Iterator[Finding]:
    try:
        executable = find_vllm(project.environ)
    except ModelError as error:
        if project.environ.get("LLMEVAL_VLLM"):
            yield Finding(state="problem", what="vllm: models", found=str(error))
        else:
            yield _note(
                "vllm: models", "not installed: pip install 'pytest-llmeval[vllm]', or name one in LLMEVAL_VLLM"
            )
        return
    yield _tried("vllm: models", lambda: f"vllm {vllm_version(executable)}, {executable}")


def _keys(project: Project) -> Iterator[Finding]:
    for name in ("OPENAI_API_KEY", "LLMEVAL_API_KEY"):
        yield _ok(name, "set") if project.environ.get(name) else _note(name, "not set")
    chosen, judges = project.values("model"), project.values("judge_model")
    for model in _listed(project):
        variable = model.api_key_env
        if variable is None or model.name in (*chosen, *judges) or project.environ.get(variable, "").strip():
            continue
        shown = variable if is_usual_name(variable) else "***"
        yield _note(f"model {model.name}", f"api_key_env names {shown}, which is not set")
    if chosen:
        yield _tried("default model", lambda: _chosen(project, "model", _under_test))
    else:
        yield _ok("default model", "local:smollm2 where installed")
    if judges:
        yield _tried("default judge", lambda: _chosen(project, "judge_model", _judges))


def _files(project: Project) -> Iterator[Finding]:
    yield _ok("project", str(project.root))
    if os.path.lexists(project.root / "models.yaml"):
        yield _tried("models.yaml", lambda: counted(len(project_models(project)), "model"))
    else:
        yield _note("models.yaml", "none; llmeval models list says what --model takes")
    for name in unread_files(project.root, ("evals",)):
        yield _note(name, NOT_READ)
    path = project.thresholds
    if os.path.lexists(path) or project.value("thresholds"):
        shown = project.shown(path)
        yield _tried(shown, lambda: f"rules of {counted(len(load_thresholds(path, shown_as=shown).suites), 'suite')}")
    else:
        yield _note("thresholds.yaml", "none: a miss fails its test, no rule is judged")
    database = project.database
    yield _tried(project.shown(database), lambda: _checked(database))
    for journal, error in damaged_journals(database):
        yield Finding(state="problem", what=project.shown(journal), found=str(error))


def _servers(project: Project) -> Iterator[Finding]:
    known = _listed(project)
    for choose in (_under_test, _judges):
        with contextlib.suppress(UserError):  # reported with the settings
            known += choose(project).values()
    urls = {model.spec.base_url.url for model in known if model.spec.base_url is not None}
    if project.environ.get("OPENAI_BASE_URL"):
        urls.add(project.environ["OPENAI_BASE_URL"])
    environ = {} if project.value("transport") == "lean" else project.environ
    for url in sorted(urls):
        yield _reached(url, environ)


def _reached(url: str, environ: Mapping[str, str]) -> Finding:
    """Check that a server, or its proxy according to ``environ``, accepts a connection."""
    server = _address(url)
    if server is None:
        return Finding(state="problem", what="server", found="OPENAI_BASE_URL is not a URL like http://host:port/v1")
    what, asked = f"server {server[0]}:{server[1]}", server
    proxy = proxy_for(BaseUrl(url=url, host=server[0]), environ)
    if proxy is not None:
        before = _address(proxy)
        if before is None:
            return Finding(state="problem", what=what, found="the address of its proxy is not like http://host:port")
        what, asked = f"{what} through proxy {before[0]}:{before[1]}", before
    try:
        socket.create_connection(asked, timeout=_CONNECT_S).close()
    except (OSError, UnicodeError) as error:  # UnicodeError: not a possible host name
        return Finding(state="problem", what=what, found=f"not reachable: {error}")
    return _ok(what, "reachable")


def _address(url: str) -> tuple[str, int] | None:
    """Return host and port of a URL; None if it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 1080)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname else None


def _options(project: Project) -> Iterator[Finding]:
    """Ask pytest, in a separate process, which plugins took our short option names and how it reads the settings."""
    command = [sys.executable, "-m", "pytest_llmeval.bridge.config.probe", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            command,
            cwd=project.root,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PROBE_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield _not_started(str(error))
        return
    try:
        found = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    except (StopIteration, json.JSONDecodeError):
        yield _not_started(done.stderr.strip() or done.stdout)
        return
    for name, owner in found["taken"].items():
        yield _note(f"--{name}", f"belongs to {owner} here; use --llmeval-{name}")
    if not found["taken"]:
        yield _ok("short options", "all free")
    for name, told, is_refused in found["keys"]:
        yield Finding(state="problem" if is_refused else "note", what=name, found=told)
    for name, told in found["unknown"].items():
        yield _note(name, told)
    if found["wrong"] is not None:
        yield Finding(state="problem", what=_SETTINGS, found=found["wrong"])


def _not_started(said: str) -> Finding:
    """Return the finding that pytest does not start, with the end of its output."""
    lines = [line for line in said.splitlines() if line.strip()][-_LAST_LINES:]
    message = "does not start in this project; run pytest --version"
    return Finding(
        state="problem", what="pytest", found="\n".join([f"{message}; it said" if lines else message, *lines])
    )


def _under_test(project: Project) -> dict[str, NamedModel]:
    """Return the models of a session by name; raise UserError if the session would refuse one of them."""
    specs = project.values("model") or default_models()
    refuse_unread(specs, project.root)
    return choose_models(specs, project_models(project), environ=project.environ, check=_check(project))


def _judges(project: Project) -> dict[str, NamedModel]:
    """Return the judges of a session by name; raise UserError if the session would refuse one of them."""
    under_test: dict[str, NamedModel] = {}
    with contextlib.suppress(UserError):  # reported with the models
        under_test = choose_models(
            project.values("model"), project_models(project), environ=project.environ, check=lambda model: None
        )
    refuse_unread(project.values("judge_model"), project.root)
    itself = (project.value("allow_self_judge") or "").lower() in ("true", "1")
    return choose_judges(
        project.values("judge_model"),
        project_models(project),
        under_test,
        may_judge_itself=itself,
        environ=project.environ,
        check=_check(project),
    )


def _check(project: Project) -> Callable[[NamedModel], None]:
    transport: TransportName = "lean" if project.value("transport") == "lean" else "auto"
    is_asked = project.value("cache") != "only"
    return partial(check_model, environ=project.environ, transport=transport, is_asked=is_asked)


def _chosen(project: Project, name: str, choose: Callable[[Project], Mapping[str, NamedModel]]) -> str:
    """Return the specs or names given for an option, safe to show, after ``choose`` accepted them."""
    choose(project)
    return ", ".join(map(storable_spec, project.values(name)))


def _checked(database: Path) -> str:
    check_database(database)
    if not database.exists():
        return "none yet"
    check_sound(database)
    check_rows(database)
    return "fine"


def _listed(project: Project) -> list[NamedModel]:
    try:
        return list(project_models(project).values())
    except UserError:
        return []


def _tried(what: str, look: Callable[[], str]) -> Finding:
    try:
        return _ok(what, look())
    except UserError as error:
        return Finding(state="problem", what=what, found=str(error))


def _ok(what: str, found: str) -> Finding:
    return Finding(state="ok", what=what, found=found)


def _note(what: str, found: str) -> Finding:
    return Finding(state="note", what=what, found=found)


_LOOKS = (_versions, _embedded, _in_process, _training, _served, _keys, _files, _servers, _options)
