"""What the head of a GGUF file says, and what is said of files that are none."""

import struct
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.gguf_header import read_gguf_header


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_gguf_header(path, "adapter a")
    return str(caught.value)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def test_fields_and_shapes_of_the_real_weights(smollm2: Path) -> None:
    header = read_gguf_header(smollm2, "smollm2")
    assert header.text("general.architecture") == "llama"
    assert header.count("llama.attention.head_count_kv") == 3
    assert "<|im_start|>" in header.text("tokenizer.chat_template")
    assert header.tensors["blk.29.attn_k.weight"] == (576, 192)
    assert (header.count("general.name"), header.text("llama.block_count"), header.text("no.such")) == (None, "", "")
    assert "tokenizer.ggml.tokens" not in header.fields


def test_a_file_that_is_cut_anywhere_is_said(smollm2: Path, tmp_path: Path) -> None:
    """In the head, in the list of tensors, among their numbers."""
    whole = smollm2.read_bytes()[: 2 << 20]
    for length in (5, 20, 1000, 500_000, 1_500_000):
        assert "cut.gguf: the file is cut off" in refused(tmp_path / "cut.gguf", whole[:length])


def test_numbers_that_are_missing_at_the_end_are_said(tmp_path: Path) -> None:
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text("t") + struct.pack("<IQQIQ", 2, 4, 2, 0, 0)
    path = tmp_path / "whole.gguf"
    path.write_bytes(head.ljust(96 + 32, b"\0"))
    assert read_gguf_header(path, "adapter a").tensors == {"t": (4, 2)}
    assert "cut off" in refused(path, path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a GGUF file"),
        (b"PK\3\4 something else", "not a GGUF file"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("key") + struct.pack("<I", 99), "a field of type 99"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**62), "cut off"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"\xff" * 9, "not a GGUF file"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 4, 2**62), "cut off"),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("general.alignment") + struct.pack("<I", 8) + text("wide"),
            "general.alignment is 'wide', which is not a whole number above 0",
        ),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 5000,
            "not a GGUF file",
        ),
    ],
)
def test_what_is_no_gguf_file_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    """With the file; lengths that a file cannot have are not believed."""
    assert said in refused(tmp_path / "bad.gguf", content)


def test_lists_of_lists_and_bare_numbers_are_passed_over(tmp_path: Path) -> None:
    nested = struct.pack("<IIQ", 9, 9, 2) + (struct.pack("<IQ", 8, 1) + text("in")) * 2
    content = b"GGUF" + struct.pack("<IQQ", 2, 0, 2) + text("a") + nested + text("b") + struct.pack("<If", 6, 0.5)
    path = tmp_path / "lists.gguf"
    path.write_bytes(content)
    assert dict(read_gguf_header(path, "adapter a").fields) == {"b": 0.5}


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"adapter a: .*none\.gguf: cannot be read"):
        read_gguf_header(tmp_path / "none.gguf", "adapter a")
