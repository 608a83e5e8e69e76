"""Vendors whose keys have a variable of their own, and the only addresses that such a key is sent to."""

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.base_url import BaseUrl, parse_base_url
from pytest_llmeval.models.named import NamedModel

__all__ = ["ANTHROPIC", "OPENAI", "VENDORS", "Vendor", "api_key_of", "refuse_foreign_key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One vendor of models."""

    url: str
    """Base URL of the vendor's own API, as in its SDK."""
    host: str
    key_variable: str
    url_variable: str
    """Variable in which the user names another address for this vendor's protocol."""
    headers_variable: str
    """Variable with further headers, in the format that the vendor's SDK reads."""
    identity: tuple[tuple[str, str], ...] = ()
    """Variables that identify the caller, such as an organisation, each with the header it is sent in."""
    key_header: str | None = None
    """Header for the key; None for a bearer token."""

    def base_url(self, environ: Mapping[str, str]) -> BaseUrl:
        """Return the user's address for this vendor, else its own; raise ModelError if the former is malformed."""
        text = environ.get(self.url_variable, "").strip() or self.url
        return parse_base_url(text, where=self.url_variable, example=self.example)

    def is_asked(self, environ: Mapping[str, str]) -> bool:
        """Return whether calls go to the vendor's own address, as the user names no other one."""
        return not environ.get(self.url_variable, "").strip()

    @property
    def example(self) -> str:
        """Example, for messages, of the address of a user's own server."""
        return "http://host:port/v1" if self.url.endswith("/v1") else "http://host:port"

    def owns(self, address: BaseUrl) -> bool:
        """Return whether ``address`` is the vendor's own."""
        return address.hostname == self.host and address.url.startswith("https://")


OPENAI = Vendor(
    url="https://api.openai.com/v1",
    host="api.openai.com",
    key_variable="OPENAI_API_KEY",
    url_variable="OPENAI_BASE_URL",
    headers_variable="OPENAI_CUSTOM_HEADERS",
    identity=(("OPENAI_ORG_ID", "OpenAI-Organization"), ("OPENAI_PROJECT_ID", "OpenAI-Project")),
)
ANTHROPIC = Vendor(
    url="https://api.anthropic.com",
    host="api.anthropic.com",
    key_variable="ANTHROPIC_API_KEY",
    url_variable="ANTHROPIC_BASE_URL",
    headers_variable="ANTHROPIC_CUSTOM_HEADERS",
    key_header="X-Api-Key",
)
VENDORS: Mapping[str, Vendor] = {"openai": OPENAI, "anthropic": ANTHROPIC}
"""Vendors by kind of spec."""


def refuse_foreign_key(model: NamedModel, address: BaseUrl, environ: Mapping[str, str]) -> None:
    """Raise ModelError if ``api_key_env`` of ``model`` would send a vendor's key to an address it is not meant for.

    Raises:
        ModelError: the key of a vendor would go to somebody else.
    """
    for vendor in VENDORS.values():
        if model.api_key_env != vendor.key_variable or vendor.owns(address):
            continue
        if address.url != vendor.base_url(environ).url:
            raise ModelError(
                f"model {model.name!r}: {vendor.key_variable} goes only to {vendor.url_variable} or {vendor.host},"
                f" not to {address.host}; put that server's key in a variable of its own and name it in api_key_env"
            )


def api_key_of(variable: str, environ: Mapping[str, str]) -> str | None:
    """Return the key in ``variable`` without outer spaces; None if it is not set or empty."""
    key = environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ModelError(
            f"{variable} holds characters that a key cannot have (a line break, or not ASCII); set it again"
        )
    return key or None
