"""What ``hf:`` in a marker names, and what it says where that is wrong."""

import pytest

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.loaders.hub_names import HubName, parse_hub_name


def test_a_name_alone_leaves_everything_open() -> None:
    assert parse_hub_name("hf:squad") == HubName(
        shown="hf:squad", place="squad", split=None, config=None, revision=None, columns={}
    )


def test_a_query_names_split_config_revision_and_columns() -> None:
    text = "hf:org/name?split=test&config=c&revision=v1&input=question,context&target=a%26b&metadata=level"
    assert parse_hub_name(text) == HubName(
        shown=text,
        place="org/name",
        split="test",
        config="c",
        revision="v1",
        columns={"input": ("question", "context"), "target": ("a&b",), "metadata": ("level",)},
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hf:", "hf:: names no dataset; write hf:ORG/NAME?split=test or hf:FOLDER?split=test"),
        ("hf:?split=test", "hf:?split=test: names no dataset; *"),
        ("hf://org/name", "hf://org/name: names no dataset; write hf:ORG/NAME?split=test *"),
        ("hf:a?splt=test", "hf:a?splt=test: unknown key 'splt'; did you mean 'split'?"),
        ("hf:a?zzz=1", "hf:a?zzz=1: unknown key 'zzz'; it takes split, config, revision, id, input, *"),
        ("hf:a?split=b&split=c", "hf:a?split=b&split=c: key 'split' appears twice"),
        ("hf:a?split=", "hf:a?split=: key 'split' has no value"),
        ("hf:a?target=b", "hf:a?target=b: names columns, but none for 'input'; add &input=COLUMN"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(DatasetError) as caught:
        parse_hub_name(text)
    found = str(caught.value)
    assert found.startswith(said.removesuffix("*")) and (said.endswith("*") or found == said)
