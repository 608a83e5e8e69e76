"""The embedded model as a folder of safetensors, made once from the GGUF file that the plugin fetches."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import filelock

from pytest_llmeval.core.disk import unwritten
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.loading import chosen_dtype, load_chat, load_model, quiet, writing
from pytest_llmeval.models.hf.sources import find_source
from pytest_llmeval.models.local.weights import SMOLLM2, fetch_smollm2
from pytest_llmeval.models.weights_spec import WeightsSpec
from pytest_llmeval.store.whole_file import whole_folder

__all__ = ["embedded_folder"]

_FORM = "safetensors-2"
"""Version of the folder's content, raised if the same file is converted in another way: version 1 split no digits after
blanks."""


def embedded_folder(cache_dir: Path, report: Callable[[str], None], *, environ: Mapping[str, str]) -> Path:
    """Return the folder of SmolLM2 with 16-bit weights; one process makes it while others wait.

    Raises:
        ModelError: the weights cannot be fetched, or the folder cannot be written.
    """
    folder = cache_dir / _FORM / SMOLLM2.label
    gguf = fetch_smollm2(cache_dir, report, environ=environ)
    if folder.is_dir():  # nothing is written: an image's cache may be read-only
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                report(f"making {folder} out of {gguf.name} (once)")
                with whole_folder(folder) as scratch:
                    _convert(gguf, scratch, environ)
    except OSError as error:
        message = f"local:smollm2: {unwritten(folder, error)}"
        raise ModelError(f"{message}; fix that, or name another cache in XDG_CACHE_HOME") from None
    return folder


def _convert(gguf: Path, target: Path, environ: Mapping[str, str]) -> None:
    weights = WeightsSpec(base=os.fspath(gguf), dtype="bfloat16")
    source = find_source(weights, environ)
    model = load_model(weights, source, "cpu", chosen_dtype(weights, "cpu"))
    chat = load_chat(weights, source, model)
    ends = sorted(chat.stop_tokens)
    model.generation_config.eos_token_id = model.config.eos_token_id = ends[0] if len(ends) == 1 else ends
    model.config.pad_token_id = chat.pad_token
    with quiet(), writing():
        model.save_pretrained(target)
        chat.tokenizer.save_pretrained(target)
