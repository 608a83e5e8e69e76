"""All mistakes of thresholds.yaml are told at once."""

from pathlib import Path

from tests.loaders.test_thresholds import problems


def test_all_mistakes_come_together_in_the_order_of_the_file(tmp_path: Path) -> None:
    """One line each."""
    content = (
        "version: 3\n"
        "suites:\n"
        "  a:\n"
        "    f1: {minn: 1, max: x}\n"
        "    slices:\n"
        "      hard: {f1: {every: false}}\n"
        "    settings: {alpha: 7}\n"
        "  b: 3\n"
        "defaults: {aplha: 1}\n"
    )
    assert [message.split(": ")[:2] for message in problems(tmp_path, content)] == [
        ["thresholds.yaml:1", "version"],
        ["thresholds.yaml:4", "suites.a.f1.max"],
        ["thresholds.yaml:4", "suites.a.f1.minn"],
        ["thresholds.yaml:6", "suites.a.slices.hard.f1.every"],
        ["thresholds.yaml:7", "suites.a.settings.alpha"],
        ["thresholds.yaml:8", "suites.b"],
        ["thresholds.yaml:9", "defaults.aplha"],
    ]
