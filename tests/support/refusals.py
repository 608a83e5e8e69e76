"""Sessions that a mistake keeps from running."""

from tests.support.project import Project
from tests.support.row_evals import PASS

__all__ = ["GOOD", "refused", "with_data"]
GOOD = {"id": "a", "input": "x", "target": "x"}


def refused(project: Project, *arguments: str, model: str | None = None) -> str:
    """Run the evals, expect a usage error before any call, and return what stderr says."""
    result = project.run("evals", *arguments, model=model)
    text = result.stderr.str()
    assert result.ret == 4, result.stdout.str()
    assert "Traceback" not in text + result.stdout.str()
    assert "INTERNALERROR" not in text + result.stdout.str()
    assert project.server.ledger == []
    assert text.startswith("ERROR: ")
    return text


def with_data(project: Project, text: str | bytes, suffix: str = "jsonl") -> None:
    """Write an eval over ``data/rows.SUFFIX``, which holds ``text``."""
    project.write(
        evals__test_echo_py=f"import pytest\n\n@pytest.mark.llmeval('data/rows.{suffix}')\n{PASS}",
    )
    path = project.root / "data" / f"rows.{suffix}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
