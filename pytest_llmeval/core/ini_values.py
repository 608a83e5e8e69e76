"""Values of pytest's configuration as strings: INI files have only strings, TOML tables also numbers and lists."""

import shlex

__all__ = ["many_texts", "one_text"]


def one_text(value: object) -> str:
    """Return one value as an INI file would have it.

    Raises:
        ValueError: the value is a list, a table or a time.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError("expected a single string or number")


def many_texts(value: object) -> list[str]:
    """Return the values of a key that may hold several: a list, or one string that is split like a shell command.

    Raises:
        ValueError: one of the values is a list, a table or a time, or a quote is not closed.
    """
    return [one_text(each) for each in value] if isinstance(value, list) else shlex.split(one_text(value))
