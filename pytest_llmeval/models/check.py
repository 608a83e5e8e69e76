"""Check whether a model can be called, as far as possible without any network access.

Every session with evals runs this check, so modules that only one kind of model needs are imported for that kind only.
"""

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.http.proxies import usable_proxy
from pytest_llmeval.models.keys import find_account
from pytest_llmeval.models.named import NamedModel

if TYPE_CHECKING:
    from pytest_llmeval.models.http.transport import TransportName

__all__ = ["check_model"]


def check_model(
    model: NamedModel, environ: Mapping[str, str], *, transport: "TransportName" = "auto", is_asked: bool = True
) -> None:
    """Raise ModelError if ``model`` cannot be opened, as far as that can be checked without any network access.

    Args:
        model: the model to open.
        environ: environment in which its key and its proxy are looked up.
        transport: transport to a server of OpenAI's protocol; ``lean`` uses no proxy.
        is_asked: whether the model will be called; if only its cached answers are wanted, it needs no key and no
            converter.

    Raises:
        ModelError: its key is missing or not meant for its server, its extra is not installed, its files are not
            there, no folder can hold them, or the proxy for its server cannot be used.
    """
    if model.spec.kind == "local":
        _check_local(model, is_asked=is_asked)
    elif model.spec.kind == "anthropic":
        _require_anthropic_extra()
        usable_proxy(find_account(model, environ, is_asked=is_asked).base_url, environ)
    elif model.spec.weights is not None and model.spec.kind == "vllm":
        from pytest_llmeval.models.vllm.executable import find_vllm, vllm_version
        from pytest_llmeval.models.vllm.groups import grouped

        vllm_version(find_vllm(environ))
        grouped([model.spec.weights], environ)
    elif model.spec.weights is not None:
        from pytest_llmeval.models.hf.sources import find_source, require_hf_extra

        require_hf_extra(model.spec.weights)
        find_source(model.spec.weights, environ)
    else:
        account = find_account(model, environ, is_asked=is_asked)
        if transport != "lean":
            usable_proxy(account.base_url, environ)


def _check_local(model: NamedModel, *, is_asked: bool) -> None:
    from pytest_llmeval.models.local.adapters import require_converter
    from pytest_llmeval.models.local.server import require_local_extra
    from pytest_llmeval.models.local.weights import default_cache_dir

    require_local_extra()
    cache_dir = default_cache_dir() if is_asked else None
    if cache_dir is not None and model.spec.weights is not None:
        require_converter(model.spec.weights, cache_dir)


def _require_anthropic_extra() -> None:
    if importlib.util.find_spec("anthropic") is None:
        raise ModelError("anthropic: models need an extra: pip install 'pytest-llmeval[anthropic]'")
