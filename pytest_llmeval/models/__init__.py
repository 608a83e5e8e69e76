"""Models: specs, models.yaml, keys, the OpenAI protocol and the embedded model. Imports no vendor's SDK."""

from pytest_llmeval.models.keys import find_account
from pytest_llmeval.models.local_server import LocalServer
from pytest_llmeval.models.local_weights import default_cache_dir, fetch_smollm2, smollm2_path, verify_smollm2
from pytest_llmeval.models.named import LineOf, NamedModel, Prices, named_models, resolve_model
from pytest_llmeval.models.redaction import Redactor, secrets_in
from pytest_llmeval.models.registry import check_model, open_model
from pytest_llmeval.models.retry import RetryPolicy, Slot
from pytest_llmeval.models.specs import ModelSpec, parse_spec

__all__ = [
    "LineOf",
    "LocalServer",
    "ModelSpec",
    "NamedModel",
    "Prices",
    "Redactor",
    "RetryPolicy",
    "Slot",
    "check_model",
    "default_cache_dir",
    "fetch_smollm2",
    "find_account",
    "named_models",
    "open_model",
    "parse_spec",
    "resolve_model",
    "secrets_in",
    "smollm2_path",
    "verify_smollm2",
]
