"""What ``hf:`` and ``vllm:`` specs name: base, adapter, how they are loaded."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.specs import parse_spec
from pytest_llmeval.models.weights_spec import WeightsKind, WeightsSpec


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf:org/model", WeightsSpec(base="org/model")),
        ("hf:./out/model", WeightsSpec(base="./out/model")),
        ("hf:/my models/a+b/adapter", WeightsSpec(base="/my models/a", adapter="b/adapter")),
        ("hf:a+b+c", WeightsSpec(base="a+b", adapter="c")),
        ("hf:m.gguf+a?load=4bit", WeightsSpec(base="m.gguf", adapter="a", load="4bit")),
        ("hf:m?device=cuda:1&dtype=bfloat16", WeightsSpec(base="m", dtype="bfloat16", device="cuda:1")),
        ("hf:org/m?revision=v1.0", WeightsSpec(base="org/m", revision="v1.0")),
        ("hf:m+a?untrained=yes", WeightsSpec(base="m", adapter="a", untrained="yes")),
        ("vllm:org/model", WeightsSpec(kind="vllm", base="org/model")),
        ("vllm:./m+my a?load=4bit", WeightsSpec(kind="vllm", base="./m", adapter="my a", load="4bit")),
        (
            "vllm:m?tensor_parallel_size=2&max_model_len=4096&gpu_memory_utilization=0.05",
            WeightsSpec(
                kind="vllm",
                base="m",
                max_model_len="4096",
                gpu_memory_utilization="0.05",
                tensor_parallel_size="2",
            ),
        ),
    ],
)
def test_what_a_spec_names(text: str, expected: WeightsSpec) -> None:
    """NAME is all that follows the kind, so that base, adapter and 4-bit have names of their own in one run."""
    spec = parse_spec(text)
    assert (spec.kind, spec.weights, spec.name) == (expected.kind, expected, str(expected))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hf:m+", "BASE\\+ADAPTER_PATH"),
        ("hf:+a", "BASE\\+ADAPTER_PATH"),
        ("hf:m?", "no option after '\\?'"),
        ("hf:m?lod=4bit", "unknown option 'lod'; did you mean 'load'"),
        ("hf:m?quantise=4bit", "known: load, dtype, device, revision, untrained"),
        ("hf:m?load=2bit", "load is 4bit or 8bit, not '2bit'"),
        ("hf:m?load=nf4", "load is 4bit or 8bit, not 'nf4'$"),
        ("hf:m?load=bf16", "load is 4bit or 8bit, not 'bf16'; did you mean dtype=bfloat16\\?"),
        ("vllm:m?load=float32", "load is 4bit, not 'float32'; did you mean dtype=float32\\?"),
        ("hf:m?dtype=FP16", "dtype is float32, float16 or bfloat16, not 'FP16'; did you mean dtype=float16\\?"),
        ("hf:m?load=4bit&load=8bit", "'load' appears twice"),
        ("hf:m?device=gpu", "cpu, mps, cuda or cuda:N"),
        ("hf:m?revision=../..", "branch, tag or commit"),
        ("hf:m?max_model_len=9", "'max_model_len' is an option of vllm: alone; those of hf: are load, dtype, device"),
        ("vllm:m?device=cpu", "'device' is an option of hf: alone; those of vllm: are load, .*, tensor_parallel_size"),
        ("vllm:m?load=8bit", "load is 4bit, not '8bit'"),
        ("vllm:m?max_model_length=9", "did you mean 'max_model_len'"),
        ("vllm:m?max_model_len=0", "a whole number from 1"),
        ("vllm:m?gpu_memory_utilization=0.0", "a share above 0, at most 1"),
        ("vllm:m?gpu_memory_utilization=1.2", "a share above 0, at most 1"),
    ],
)
def test_malformed_weights_are_refused_with_advice(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_spec(text)


@pytest.mark.parametrize("kind", ["hf", "vllm"])
def test_a_path_that_is_there_may_hold_a_plus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: WeightsKind
) -> None:
    """As it may hold anything else; an adapter on top of it begins at the last one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a+b").mkdir()
    for text, base, adapter in (("a+b", "a+b", None), ("a+b+c", "a+b", "c"), ("a+c", "a", "c")):
        expected = WeightsSpec(kind=kind, base=base, adapter=adapter, load="4bit")
        assert parse_spec(f"{kind}:{text}?load=4bit").weights == expected


_WORDS = st.text("abcXYZ019._-/ ", min_size=1, max_size=20).filter(lambda text: text.strip() == text != "")


@given(
    kind=st.sampled_from(["hf", "vllm"]),
    base=_WORDS,
    adapter=st.none() | _WORDS,
    load=st.sampled_from([None, "4bit"]),
    dtype=st.sampled_from([None, "float16"]),
)
def test_the_text_of_a_spec_names_the_same(
    kind: WeightsKind, base: str, adapter: str | None, load: str | None, dtype: str | None
) -> None:
    """Stored specs can be asked again."""
    weights = WeightsSpec(kind=kind, base=base, adapter=adapter, load=load, dtype=dtype)
    spec = parse_spec(f"{kind}:{weights}")
    assert spec.weights == weights
    assert parse_spec(spec.text) == spec
