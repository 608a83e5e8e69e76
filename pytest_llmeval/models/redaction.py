"""Redaction of secrets from every text that is shown or stored, and recognition of secrets in the environment."""

import base64
import os.path
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from json import dumps
from urllib.parse import quote, quote_plus

__all__ = [
    "AnswerRedactor",
    "Redactor",
    "secret_values",
    "secrets_in",
    "tells_who_asks",
    "values_within",
]

_MASK = "***"
MIN_SECRET_CHARS = 6
MIN_ANSWER_SECRET_CHARS = 8
MIN_LINE_CHARS = 16
PREFIX_CHARS = 12
MIN_CUT_CHARS = 2 * PREFIX_CHARS - 4
MIN_REST_CHARS = 4
_USERINFO = re.compile(
    r"(?<=://)(?:[^/\s@'\"]+@"
    r"|(?!localhost:)[^/\s@'\"?#:.<\[{$]*:(?!\d*/|port\b|[<(\[{$%])(?:(?!://)[^\s@'\"?#<>()\[\]{}`,;\\])+(?<!/)@"
    r"(?=(?:[^/\s@'\"?#]*@)?[\w.:\[\]-]+?(?:/|:\d{2,5}\b)))"
    r"(?:[^/\s'\"?#]*@)?",
    re.IGNORECASE,
)
"""User name and password of a URL. A password may hold an ``@``, but so may a query; or a slash, but so may a path.

A password with a slash is recognised by a user name without a dot before it, unlike a host, and by a host with a path
or a port after it.
"""
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:[A-Z0-9]*(?:(?:ACCESS|ACCOUNT|API|PRIVATE|SECRET|STORAGE)KEY|SECRET|PASSWORD|PASSWD|PASSPHRASE)S?"
    r"|KEYS?|TOKEN|CREDENTIALS?)[0-9]*(?:$|_)"
    r"|_(?:PASS|PWD|PAT)[0-9]*$",
    re.IGNORECASE,
)
_LIKELY_NAME = re.compile(r"(?:^|_)[A-Z0-9]*TOKEN[0-9]*(?:$|_)", re.IGNORECASE)
_LIKELY_LIST = re.compile(r"(?:^|_)(?:ACCESS|API|AUTH|BEARER|BOT|GITHUB|HF)_?TOKENS[0-9]*$", re.IGNORECASE)
_MAYBE_LIST = re.compile(r"(?:^|_)[A-Z0-9]*TOKENS[0-9]*(?:$|_)", re.IGNORECASE)
"""Names for which the value decides: MAX_TOKENS is a number, or one number for each model."""
_PLAIN_VALUE = re.compile(r"[\d.,_+%-]+[A-Za-z]?|[A-Za-z_.-]{,15}|.{,7}")
"""A number, a word, or a text too short for a token."""
_TOKEN = re.compile(
    r"(?!.*://).*?(?:(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z\d]{16}|[\dA-F]{8}(?:-[\dA-F]{4}){3}-[\dA-F]{12})", re.IGNORECASE
)
"""A text with at least 16 mixed letters and digits in a row, or a UUID; model names have a dash or a dot earlier."""
_LIST_NAME = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)S$", re.IGNORECASE)
_BETWEEN = re.compile(r"[,;\s\[\]'\"]+")
_PLACE_NAME = re.compile(r"_(?:FILE|PATH|DIR)$", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"version|deployment|model|region|title|referer", re.IGNORECASE)
_CREDENTIAL = re.compile(
    r"(?:^|_)(?:AUTH|AUTHORIZATION|COOKIE|SIG|SIGNATURE)$|^OPEN_?AI_(?:ORGANIZATION|PROJECT)$", re.IGNORECASE
)
_ASKER = re.compile(
    r"^USER_AGENT$|(?:^|_)(?:REFERER|TITLE|TRACE|(?:REQUEST|CORRELATION|SESSION|TRACE|USER)_?ID)$|TRACE_?(?:CONTEXT|PARENT|STATE)$|^BAGGAGE$"
    r"|^(?:CODE|SE|ST|SKT|SKE|X_(?:AMZ|GOOG)_(?:DATE|CREDENTIAL|EXPIRES))$",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"[\r\n]|\\r|\\n")
_NAME_FIRST = re.compile(r"""["']?[\w.-]+["']?\s*[:=]\s""")
"""The name at the beginning of a line of JSON or YAML, which is not secret."""
_CUT = ("...", "…")
_BREAK = re.compile(r"(?:\s|\\r|\\n)+")
_WORDS_MEET = re.compile(r"-|(?<=[a-z])(?=[A-Z])")


class Redactor:
    """Replaces secret values, and user names and passwords in URLs, by ``***``.

    A value is found raw, JSON-escaped, URL-encoded and in base64 (at any offset). It is also found by its first 12
    characters, as providers often repeat a wrong key that way, together with the further characters that match. If
    its middle was cut out, its end is found after the ``...`` too. Values under 6 characters are not looked for:
    replacing them would damage ordinary words.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._long: list[str] = []
        self._short: list[str] = []
        self._begun: dict[str, list[str]] = {}
        self._ended: dict[str, list[str]] = {}
        self.add(*secrets)

    def __repr__(self) -> str:
        return f"Redactor({_MASK})"

    def add(self, *secrets: str) -> None:
        """Redact these values too."""
        self._secrets.update(secret for secret in secrets if len(secret) >= MIN_SECRET_CHARS)
        forms = sorted({form for secret in self._secrets for form in _spellings(secret)}, key=len, reverse=True)
        self._long = [form for form in forms if len(form) >= PREFIX_CHARS]
        self._short = [form for form in forms if len(form) < PREFIX_CHARS]
        self._begun, self._ended = {}, {}
        for secret in self._secrets:
            if len(secret) >= MIN_CUT_CHARS and not _NAME_FIRST.match(secret):
                self._begun.setdefault(secret[:PREFIX_CHARS], []).append(secret[PREFIX_CHARS:])
                self._ended.setdefault(secret[-PREFIX_CHARS:], []).append(secret[:-PREFIX_CHARS])

    def __call__(self, text: str) -> str:
        """Return ``text`` with every secret replaced."""
        text = _masked(text, self._long)
        for beginning, rests in self._begun.items():
            if beginning in text:
                text = _without_beginning(text, beginning, rests)
        if any(cut in text for cut in _CUT):
            for ending, firsts in self._ended.items():
                if ending in text:
                    text = _without_ending(text, ending, firsts)
        return _USERINFO.sub(f"{_MASK}@", _masked(text, self._short))  # last: a secret may contain a user name


class AnswerRedactor:
    """Replaces secrets in a model's answer, as a server may echo its request.

    It looks for fewer forms than ``Redactor``, as scorers judge the text: a value under 8 characters or of letters
    only ("ollama", "production") may be a word of the answer, and so may the beginning of a key.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        kept = [secret for secret in secrets if len(secret) >= MIN_ANSWER_SECRET_CHARS and not secret.isalpha()]
        self._forms = sorted({form for secret in kept for form in _spellings(secret)}, key=len, reverse=True)

    def __repr__(self) -> str:
        return f"AnswerRedactor({_MASK})"

    def __call__(self, text: str) -> str:
        """Return ``text`` with every secret replaced; without secrets, the same object."""
        return _masked(text, self._forms)


def secrets_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of variables whose names suggest keys, tokens, secrets or passwords.

    ``API_KEYS`` may hold a list; then each of its parts is a secret too. Paths are left out: ``SSH_KEY_FILE`` and the
    like name a file, not a secret.
    """
    whole: list[str] = []
    parts: list[str] = []
    for name, value in ((name, value.strip()) for name, value in environ.items()):
        listed = [part for part in _BETWEEN.split(value) if part]
        if _is_path(name, value):
            continue
        if _names_a_secret(name, value, listed):
            whole += values_within(value)
            parts += listed if _LIST_NAME.search(name) else ()
        elif _MAYBE_LIST.search(name):  # tokens among other words
            parts += filter(_TOKEN.match, listed)
    return tuple(dict.fromkeys([*whole, *parts]))


def _names_a_secret(name: str, value: str, parts: Sequence[str]) -> bool:
    if _SECRET_NAME.search(name):
        return True
    if _LIKELY_LIST.search(name):
        return not any(map(_PLAIN_VALUE.fullmatch, parts))
    if _MAYBE_LIST.search(name):
        return all(map(_TOKEN.match, parts))
    return _LIKELY_NAME.search(name) is not None and _PLAIN_VALUE.fullmatch(value) is None


def values_within(value: str) -> Iterator[str]:
    """Yield a secret without outer whitespace, as programs read it, and each long line of a multi-line one.

    An error report may put a prefix before each line, so that the whole value is not found in it. The first and last
    lines of PEM keys are left out, as they are the same for all keys.
    """
    value = value.strip()
    yield value
    lines = [line.strip() for line in _LINE_END.split(value)]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= MIN_LINE_CHARS and not line.startswith("-----"))


def _is_path(name: str, value: str) -> bool:
    """Return whether ``value`` is a path. A leading slash does not suffice: one AWS key in 64 begins with one."""
    may_be = value[:1] in {"/", "~", "."}
    return may_be and (_PLACE_NAME.search(name) is not None or os.path.exists(os.path.expanduser(value)))


def secret_values(named: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the values of headers or query parameters that are secrets, by their names or as they contain a token.

    Other values say who calls or for what purpose ("customer-support"), and an answer may well contain those words.
    """
    return tuple(value for name, value in named if not _PLAIN_NAME.search(name) and _is_secret(name, value))


def _is_secret(name: str, value: str) -> bool:
    variable = _WORDS_MEET.sub("_", name)
    return any(each.search(variable) for each in (_SECRET_NAME, _LIKELY_NAME, _CREDENTIAL)) or bool(_TOKEN.match(value))


def tells_who_asks(name: str) -> bool:
    """Return whether a header or query parameter says, by its name, who calls or when, not which model answers."""
    variable = _WORDS_MEET.sub("_", name)
    return any(each.search(variable) for each in (_SECRET_NAME, _CREDENTIAL, _ASKER))


def _masked(text: str, forms: Iterable[str]) -> str:
    for form in forms:  # one search per form costs less than one pattern for all
        if form in text:
            text = text.replace(form, _MASK)
    return text


def _without_beginning(text: str, beginning: str, rests: Iterable[str]) -> str:
    """Return ``text`` with each ``beginning`` replaced, together with the characters after it that match a rest."""
    first, *others = text.split(beginning)
    return _MASK.join([first, *(other[max(_followed(other, rest) for rest in rests) :] for other in others)])


def _followed(text: str, rest: str) -> int:
    """Return how many leading characters of ``text`` match ``rest``; ``text`` may be broken into lines."""
    place = _common(text, rest)
    left = rest[place:]
    while left and (gap := _BREAK.match(text, place)):
        more = _common(text[gap.end() : gap.end() + len(left)], left)
        if more < min(MIN_REST_CHARS, len(left)):
            break
        place, left = gap.end() + more, left[more:]
    return place


def _without_ending(text: str, ending: str, firsts: Iterable[str]) -> str:
    """Return ``text`` with each ``ending`` after a cut replaced, together with the matching characters before it."""
    *others, last = text.split(ending)
    told = []
    for other in others:
        kept = other[: len(other) - max(_common(other[::-1], first[::-1]) for first in firsts)]
        told += [kept, _MASK] if kept.endswith(_CUT) else [other, ending]
    return "".join([*told, last])


def _common(text: str, other: str) -> int:
    return len(os.path.commonprefix((text[: len(other)], other)))


def _spellings(secret: str) -> Iterator[str]:
    """Yield the whole ``secret`` in all its encodings: raw, JSON, URL and base64."""
    data = secret.encode("utf-8", "surrogatepass")
    yield from (secret, dumps(secret)[1:-1], quote(data, safe=""), quote(data), quote_plus(data))
    for offset in range(3):
        yield from _base64_forms(data, offset)


def _base64_forms(data: bytes, offset: int) -> Iterator[str]:
    """Yield the base64 characters that depend on ``data`` only, if it begins ``offset`` bytes into a triple."""
    encoded = base64.b64encode(b"\0" * offset + data).decode("ascii").rstrip("=")
    first = (offset * 8 + 5) // 6
    stable = encoded[first : (offset + len(data)) * 8 // 6]
    yield from (stable, stable.replace("+", "-").replace("/", "_"))
