"""Check that bitsandbytes works on a device: it loads a wrong library silently, and fails at the first call."""

from pathlib import Path

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.models.host_memory import says_out_of_memory

__all__ = ["require_bitsandbytes"]


def require_bitsandbytes(device: str) -> None:
    """Try to quantise a few numbers with bitsandbytes.

    Args:
        device: torch's name of the device.

    Raises:
        ModelError: it fails; the message replaces bitsandbytes' own, which is pages long with the cause at the end.
        RuntimeError: the device itself does not work, or has no memory left.
    """
    import bitsandbytes
    import torch

    numbers = torch.ones(64, device=device)
    try:
        bitsandbytes.functional.quantize_4bit(numbers, quant_type="nf4")
    except Exception as error:  # with a wrong library, it raises all kinds of exceptions
        if says_out_of_memory(str(error)):
            raise
        reason = getattr(bitsandbytes.cextension.lib, "error_msg", None)  # a function if a library was loaded
        message = one_line(reason if isinstance(reason, str) else f"{type(error).__name__}: {error}", 300)
        there = sorted(path.stem for path in Path(bitsandbytes.__file__).parent.glob("libbitsandbytes_cuda*.so"))
        raise ModelError(
            f"bitsandbytes {bitsandbytes.__version__} does not work on {device}: {message}; torch {torch.__version__}"
            f" is for CUDA {torch.version.cuda}, and it has {', '.join(there) or 'no libbitsandbytes_cuda*.so'}: pip"
            " install --force-reinstall --no-deps 'bitsandbytes>=0.50,<0.51', or a torch for one of these versions"
        ) from None
