"""What a spec says of the base that is trained on."""

from pathlib import Path

import pytest

from pytest_llmeval.models.weights_spec import parse_weights
from pytest_llmeval.training.base_spec import weights_of
from pytest_llmeval.training.config_file import load_config
from tests.support.tiny_base import write_project


@pytest.mark.parametrize(("base", "revision"), [
    ("/home/anna@corp.example/base", None),
    ("org/model", None),
    ("org/model@v1.2", "v1.2"),
])  # fmt: skip
def test_a_revision_is_of_an_id_and_a_folder_may_have_any_name(tmp_path: Path, base: str, revision: str | None) -> None:
    config = load_config(write_project(tmp_path, "base"), shown_as="tiny.yaml")
    spec = weights_of(config, base, "/srv/job@2/adapter")
    assert (spec.base, spec.revision) == (base.removesuffix(f"@{revision}"), revision)
    assert parse_weights(str(spec), "hf:...", "hf") == spec
