"""Memory that is free, by the files in which Linux tells of it."""

from pathlib import Path

import pytest

from pytest_llmeval.models import host_memory

GIB = 1 << 30


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with 64 GiB available, and no limit of a container."""
    monkeypatch.setattr(host_memory, "_PROC", tmp_path)
    monkeypatch.setattr(host_memory, "_CGROUP", tmp_path)
    (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:   {64 * GIB // 1024} kB\n", "ascii")
    return tmp_path


def limit(folder: Path, limit: str, *, used: int, cached: int) -> None:
    (folder / "memory.max").write_text(f"{limit}\n", "ascii")
    (folder / "memory.current").write_text(f"{used}\n", "ascii")
    (folder / "memory.stat").write_text(f"anon {used - cached}\ninactive_file {cached}\n", "ascii")


def test_what_is_available_without_a_container(told: Path) -> None:
    assert host_memory.free_host_bytes(7) == 64 * GIB


def test_a_containers_limit_goes_before_what_the_machine_has(told: Path) -> None:
    limit(told, str(6 * GIB), used=3 * GIB, cached=2 * GIB)
    assert host_memory.free_host_bytes(7) == 5 * GIB


def test_a_container_without_a_limit_has_what_the_machine_has(told: Path) -> None:
    limit(told, "max", used=3 * GIB, cached=0)
    assert host_memory.free_host_bytes(7) == 64 * GIB


def test_where_nothing_is_told_the_callers_guess_is_taken(told: Path) -> None:
    (told / "meminfo").unlink()
    assert host_memory.free_host_bytes(7) == 7
