"""What ``vllm serve`` is told."""

import os
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.specs import parse_spec
from pytest_llmeval.models.vllm.host import VllmModels
from pytest_llmeval.models.weights_spec import WeightsSpec
from tests.support.fake_vllm import FakeVllm, write_adapter, write_base


def weights_of(text: str) -> WeightsSpec:
    """Return what a ``vllm:`` spec names."""
    weights = parse_spec(f"vllm:{text}").weights
    assert weights is not None
    return weights


def start(models: VllmModels, *specs: str) -> list[str]:
    """Start the servers of some specs; return what was shown meanwhile."""
    lines: list[str] = []
    models.start([weights_of(spec) for spec in specs], lines.append, timeout_s=20)
    return lines


def test_base_and_adapters_share_a_server(fake: FakeVllm, models: VllmModels, base: Path, adapter: Path) -> None:
    """Each is asked under the name that it has in the run; each adapter may be in every batch."""
    other = write_adapter(adapter.parent / "other, =", base, r=8)
    specs = [str(base), f"{base}+{adapter}", f"{base}+{other}"]
    lines = start(models, *specs)
    (server,) = fake.starts
    assert (server["model_tag"], server["host"], server["served_model_name"]) == (str(base), "127.0.0.1", [str(base)])
    assert server["lora_modules"] == [
        {"name": specs[1], "path": str(adapter)},
        {"name": specs[2], "path": str(other)},
    ]
    assert (server["enable_lora"], server["max_loras"], server["max_lora_rank"]) == (True, 2, 16)
    assert lines[0].startswith(f"waiting for vLLM 0.33.0 to serve vllm:{base} with 2 adapters: ")
    assert lines[1].startswith(f"vLLM serves {', '.join(specs)} after ")


@pytest.mark.parametrize(
    ("config", "rank"),
    [
        ({"r": 1}, 1),
        ({"r": 2}, 8),
        ({"r": 16}, 16),
        ({"r": 17}, 32),
        ({"r": 300}, 320),
        ({"r": 8, "rank_pattern": {"q_proj": 40}, "lora_alpha": 16, "alpha_pattern": {"q_proj": 80}}, 64),
    ],
)
def test_the_rank_is_rounded_up_to_one_that_vllm_takes(
    fake: FakeVllm, models: VllmModels, base: Path, config: dict[str, object], rank: int
) -> None:
    start(models, f"{base}+{write_adapter(base.parent / 'ranked', base, **config)}")
    assert fake.starts[0]["max_lora_rank"] == rank


def test_a_base_alone_needs_no_lora(fake: FakeVllm, models: VllmModels, base: Path) -> None:
    start(models, str(base))
    assert not any("lora" in argument for argument in fake.starts[0]["argv"])


def test_options_become_flags(fake: FakeVllm, models: VllmModels, base: Path) -> None:
    start(
        models,
        f"{base}?load=4bit&dtype=bfloat16&max_model_len=4096&gpu_memory_utilization=0.4&tensor_parallel_size=2",
    )
    server = fake.starts[0]
    assert (server["quantization"], server["dtype"], server["max_model_len"]) == ("bitsandbytes", "bfloat16", 4096)
    assert (server["gpu_memory_utilization"], server["tensor_parallel_size"]) == (0.4, 2)


def test_answers_depend_on_no_file_of_the_model_and_no_date(fake: FakeVllm, models: VllmModels, base: Path) -> None:
    start(models, str(base))
    server = fake.starts[0]
    assert (server["generation_config"], server["seed"]) == ("vllm", 0)
    assert server["default_chat_template_kwargs"] == {"date_string": "26 Jul 2024"}


def test_nothing_is_sent_fetched_or_shown_to_others(fake: FakeVllm, models: VllmModels, base: Path) -> None:
    """No telemetry, no hub; the key stands in no command line and no repr, and without it nobody is answered."""
    start(models, str(base))
    assert fake.starts[0]["environ"] == {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    server = models.server(weights_of(str(base)))
    assert server is not None
    assert server.api_key not in " ".join(fake.starts[0]["argv"]) + repr(server)
    server.api_key = "wrong"
    assert server.ask("/v1/models") == (401, {"error": "Unauthorized"})


def test_what_is_installed_beside_it_is_found(
    fake: FakeVllm, models: VllmModels, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its environment need not be activated: it builds kernels with the ninja of that."""
    link = base.parent / "vllm"
    link.symlink_to(fake.path)
    monkeypatch.setenv("LLMEVAL_VLLM", str(link))
    monkeypatch.setenv("PATH", os.defpath)
    start(models, str(base))
    assert fake.starts[0]["path"] == f"{fake.path.parent}:{os.defpath}"


def test_bases_of_their_own_share_the_memory(fake: FakeVllm, models: VllmModels, base: Path, adapter: Path) -> None:
    """Unless a spec says what it takes; how a base is loaded makes it another."""
    other = write_base(base.parent / "other")
    start(models, f"{base}+{adapter}", str(other), f"{other}?load=4bit&gpu_memory_utilization=0.2")
    assert [(server["model_tag"], server["gpu_memory_utilization"]) for server in fake.starts] == [
        (str(base), 0.35),
        (str(other), 0.35),
        (str(other), 0.2),
    ]
    assert fake.starts[0]["served_model_name"] == [str(base)]
    with pytest.raises(ModelError, match=r"1 of 2 servers have no gpu_memory_utilization, and the others take 0.9 of"):
        start(models, str(base), f"{other}?gpu_memory_utilization=0.9")
    assert len(fake.starts) == 3


def test_shares_of_the_memory_are_no_more_than_all_together(fake: FakeVllm, models: VllmModels, base: Path) -> None:
    start(models, str(base), *(str(write_base(base.parent / f"other{n}")) for n in range(3)))
    assert [server["gpu_memory_utilization"] for server in fake.starts] == [0.22] * 4


def test_one_folder_by_two_paths_is_one_base(
    fake: FakeVllm, models: VllmModels, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(base.parent)
    start(models, "base", str(base))
    assert [server["served_model_name"] for server in fake.starts] == [["base", str(base)]]
