"""What importing costs."""

import subprocess
import sys


def test_importing_the_package_loads_no_vendor() -> None:
    """A session that asks no model pays for no SDK and no engine."""
    code = (
        "import sys; from pytest_llmeval.models.registry import open_model;"
        "names = 'openai anthropic opentelemetry httpx2 aiohttp pydantic xllamacpp filelock pytest torch'.split();"
        "print([name for name in names if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
