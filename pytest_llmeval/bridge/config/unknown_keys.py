"""Keys of pytest's configuration that are named like ours and mean nothing, and whether pytest lets them pass."""

from collections.abc import Iterator

import pytest

from pytest_llmeval.bridge.config.options import OPTIONS, PATHS_KEY
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.text import one_line

__all__ = ["unknown_keys"]

_PREFIX = "llmeval_"


def unknown_keys(config: pytest.Config) -> Iterator[tuple[str, str, bool]]:
    """Yield each key that is named like one of ours and none, what is said of it, and whether pytest ends with it.

    Pytest itself looks for such keys when all is collected.
    """
    words = {key.removeprefix(_PREFIX): key for key in (PATHS_KEY, *(option.key for option in OPTIONS))}
    for key in sorted(config._get_unknown_ini_keys()):
        if key.startswith(_PREFIX):
            near = closest(key.removeprefix(_PREFIX), words)
            meant = f"; did you mean {words[near]}?" if near is not None else ""
            is_refused = _is_refused(config, key)
            told = "each run of pytest ends with an error" if is_refused else "it counts for nothing"
            yield one_line(key, 80), f"no setting has this key, so {told}{meant}", is_refused


def _is_refused(config: pytest.Config, key: str) -> bool:
    """Whether pytest makes an error of an unknown key: it is strict, or its warnings are errors."""
    try:
        config._warn_or_fail_if_strict(f"Unknown config option: {key}\n")
    except (pytest.UsageError, pytest.PytestConfigWarning):
        return True
    return False
