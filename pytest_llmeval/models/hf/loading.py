"""Load a model and its tokenizer from files with transformers. Importing this module imports torch."""

import contextlib
import importlib.metadata
import logging
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import transformers
from tokenizers import pre_tokenizers

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.gguf_header import read_gguf_header
from pytest_llmeval.models.hf.chat import Chat
from pytest_llmeval.models.hf.four_bit import require_bitsandbytes
from pytest_llmeval.models.hf.sources import Source, read_json
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = ["chosen_device", "chosen_dtype", "in_one_line", "load_chat", "load_model", "quiet", "why", "writing"]

_WAITING = "OMP_WAIT_POLICY"
_FAST_BF16 = (8, 0)
"""Lowest compute capability of NVIDIA GPUs that have units for bfloat16."""


@contextlib.contextmanager
def _passive_threads() -> Iterator[None]:
    """Make the OpenMP threads of modules imported within sleep while they wait, unless the environment sets a policy.

    Threads that spin get many times slower on cores that are shared with other work. torch reads the variable once, and
    it is removed again so that child processes do not inherit it.
    """
    is_set = _WAITING in os.environ
    os.environ.setdefault(_WAITING, "passive")
    try:
        yield
    finally:
        if not is_set:
            del os.environ[_WAITING]


with _passive_threads():
    import torch

    from pytest_llmeval.models.hf.memory import is_out_of_memory


def chosen_device(weights: WeightsSpec) -> str:
    """Return the device of a spec; if it names none, the first GPU, else the CPU.

    Raises:
        ModelError: the spec names a device that is not there.
    """
    if weights.device is None:
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    kind, _, number = weights.device.partition(":")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise ModelError(f"hf:{weights}: {torch.cuda.device_count()} CUDA devices are here; leave out device=")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ModelError(f"hf:{weights}: no MPS device is here; leave out device=")
    return f"cuda:{number or 0}" if kind == "cuda" else weights.device


def chosen_dtype(weights: WeightsSpec, device: str) -> Any:
    """Return the torch dtype of a spec; by default float32 on a CPU, elsewhere bfloat16 if it is fast, else float16."""
    if weights.dtype is not None:
        return getattr(torch, weights.dtype)
    if device == "cpu":
        return torch.float32
    is_nvidia = device.startswith("cuda") and torch.version.hip is None
    # Asks for this GPU, as torch.cuda.is_bf16_supported looks at the current one.
    has_bf16 = not is_nvidia or torch.cuda.get_device_capability(device) >= _FAST_BF16
    return torch.bfloat16 if has_bf16 else torch.float16


def load_model(weights: WeightsSpec, source: Source, device: str, dtype: Any) -> Any:
    """Load the base into memory and return it, ready for use.

    Raises:
        ModelError: its files cannot be read, lack weights or have another quantisation than the spec says; it needs
            code of its own, does not fit into memory, or bitsandbytes does not work on the device.
    """
    _check_stored(weights, source)
    settings: dict[str, Any] = {"dtype": dtype, "device_map": {"": device}}
    if weights.load is not None:
        settings["quantization_config"] = _quantised(weights)  # set only here, as None would override config.json
    if source.is_gguf:
        settings["quantization_config"] = transformers.GgufConfig(dequantize=True)
        settings["gguf_file"] = source.base.name
    else:
        settings["use_safetensors"] = True
    with in_one_line(f"hf:{weights}: the model cannot be loaded"):
        if weights.load is not None:
            require_bitsandbytes(device)
        with _folder(source) as folder:
            model, found = transformers.AutoModelForCausalLM.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True, output_loading_info=True, **settings
            )
    _check_whole(weights, found["missing_keys"])
    model.eval()
    return model


def load_chat(weights: WeightsSpec, source: Source, model: Any) -> Chat:
    """Return the base's tokenizer as a Chat; make the model generate greedily, whatever its files say.

    Raises:
        ModelError: the tokenizer's files cannot be read.
    """
    settings = {"gguf_file": source.base.name} if source.is_gguf else {}
    with in_one_line(f"hf:{weights}: the tokenizer cannot be loaded"), _folder(source) as folder:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True, **settings
        )
    if source.is_gguf:
        _take_gguf_settings(tokenizer, source.base)
    stops = _ids(model.generation_config.eos_token_id) | _ids(model.config.eos_token_id) | _ids(tokenizer.eos_token_id)
    chat = Chat(tokenizer, f"hf:{weights}", frozenset(stops))
    model.generation_config = transformers.GenerationConfig(pad_token_id=chat.pad_token)
    return chat


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the progress bars, warnings and log messages of transformers off the terminal."""
    level, shows_bars = transformers.utils.logging.get_verbosity(), transformers.utils.logging.is_progress_bar_enabled()
    other = logging.getLogger("bitsandbytes")
    other_level = other.level
    other.setLevel(logging.ERROR)  # its warning recommends a package that downloads code
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        # The progress bar of GGUF files ignores all settings.
        with warnings.catch_warnings(), open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        other.setLevel(other_level)
        transformers.utils.logging.set_verbosity(level)
        if shows_bars:
            transformers.utils.logging.enable_progress_bar()


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turn every exception into an OSError: on a full disk, safetensors and tokenizers raise exceptions of their own.

    Raises:
        OSError: something was raised within.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(str(error)) from error


@contextlib.contextmanager
def in_one_line(problem: str) -> Iterator[None]:
    """Reduce whatever libraries print and raise about files and devices to an error of one line.

    Raises:
        ModelError: something was raised within; ``problem`` precedes the message unless it was a ModelError.
    """
    with quiet():
        try:
            yield
        except ModelError:
            raise
        except Exception as error:  # noqa: BLE001 - libraries raise all kinds of exceptions
            raise ModelError(f"{problem}: {why(error)}") from None


def why(error: BaseException) -> str:
    """Return the message of a library's error on one line, with our advice instead of the library's."""
    text = " ".join(str(error).split())
    if "trust_remote_code" in text:
        return "it needs code that comes with its weights, and none of that is run; serve it with a server of your own"
    if is_out_of_memory(error):
        return "no memory for it; try ?load=4bit, or ?dtype=bfloat16"
    return f"{type(error).__name__}: {text[:300]} (transformers {importlib.metadata.version('transformers')})"


def _check_stored(weights: WeightsSpec, source: Source) -> None:
    """Raise ModelError if ``load`` differs from the files' own quantisation, which transformers would use instead."""
    if weights.load is None:
        return
    stored = read_json(source.base / "config.json").get("quantization_config")
    if not isinstance(stored, dict):
        return
    bits = next((bits for bits in ("4bit", "8bit") if stored.get(f"load_in_{bits}")), stored.get("quant_method"))
    if bits != weights.load:
        raise ModelError(
            f"hf:{weights}: its files hold quantised weights ({bits}), which cannot be loaded as {weights.load}; leave"
            " out load=, or name the model before it was quantised"
        )


def _check_whole(weights: WeightsSpec, missing: Iterable[str]) -> None:
    """Raise ModelError if no file holds some weights; transformers only logs that and uses random numbers."""
    names = sorted(missing)
    if names:
        raise ModelError(
            f"hf:{weights}: {len(names)} weights of the model are in none of its files, such as {', '.join(names[:2])};"
            " they would be random numbers. Fetch or save the model again, or correct config.json where it names"
            " another kind of model than the files hold"
        )


def _quantised(weights: WeightsSpec) -> Any:
    """Return the bitsandbytes configuration of a spec with ``load``."""
    if weights.load == "8bit":
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    device = chosen_device(weights)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=chosen_dtype(weights, device),
    )


@contextlib.contextmanager
def _folder(source: Source) -> Iterator[Path]:
    """Lend the folder for transformers to read; for a GGUF file, a temporary one that contains only that file.

    A tokenizer or adapter beside the file would take precedence over the file's own, and is part of no cache key.
    """
    if not source.is_gguf:
        yield source.base
        return
    with tempfile.TemporaryDirectory(prefix="llmeval-gguf-") as alone:
        (Path(alone) / source.base.name).symlink_to(source.base)
        yield Path(alone)


def _take_gguf_settings(tokenizer: Any, path: Path) -> None:
    """Set end token, padding token and digit splitting as in a GGUF file; transformers guesses SmolLM2's wrongly."""
    header = read_gguf_header(path, f"hf:{path}")
    for name, key in (("eos_token", "eos_token_id"), ("pad_token", "padding_token_id")):
        token = header.count(f"tokenizer.ggml.{key}")
        if token is not None:
            setattr(tokenizer, name, tokenizer.convert_ids_to_tokens(token))
    if header.text("tokenizer.ggml.pre") == "smollm":
        # Splits as llama.cpp and the model's own tokenizer.json do; otherwise spaces before a digit are other tokens.
        digits = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [digits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
        )


def _ids(value: Any) -> set[int]:
    return set() if value is None else {value} if isinstance(value, int) else set(value)
