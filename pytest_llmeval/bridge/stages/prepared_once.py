"""The preparation of a session with evals: made when the first selected eval is found, or never."""

from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.bridge.workers import MeantRuns
from pytest_llmeval.core.errors import SettingsError

if TYPE_CHECKING:
    from pytest_llmeval.bridge.preparation import Preparation

__all__ = ["PreparedOnce"]


class PreparedOnce:
    """Makes the preparation only when needed: a session without evals loads no settings, rules or models."""

    def __init__(self, config: pytest.Config, meant_runs: MeantRuns | None) -> None:
        """Store the arguments only. ``meant_runs`` is what the controller told this worker."""
        self._config = config
        self._meant_runs = meant_runs
        self.made: Preparation | None = None
        """The result of ``get``; None until an eval was asked for, and if the settings are wrong."""
        self.settings_problems: list[str] = []
        """Problems of the settings: with any, nothing can be prepared."""

    def get(self) -> "Preparation | None":
        """Return the preparation, making it if needed; None if the settings are wrong."""
        if self.made is None and not self.settings_problems:
            from pytest_llmeval.bridge.preparation import Preparation

            try:
                self.made = Preparation(self._config, self._meant_runs)
            except SettingsError as error:
                self.settings_problems = [str(error)]
        return self.made

    @property
    def was_asked(self) -> bool:
        """Whether ``get`` was called, for an eval that was asked for or a run to resume."""
        return self.made is not None or bool(self.settings_problems)

    @property
    def problems_before_selection(self) -> list[str]:
        """The problems that are known before the cases are selected."""
        return self.made.problems_before_selection if self.made is not None else self.settings_problems
