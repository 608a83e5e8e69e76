"""What a spec names, and what is refused with advice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.specs import parse_spec


@pytest.mark.parametrize(
    ("text", "name", "url"),
    [
        ("gpt-4o-mini", "gpt-4o-mini", None),
        ("openai:gpt-4o-mini", "gpt-4o-mini", None),
        ("ft:gpt-4o-mini:org::id", "ft:gpt-4o-mini:org::id", None),
        ("openai:llama3:8b@http://localhost:11434/v1/", "llama3:8b", "http://localhost:11434/v1"),
        ("openai:org/model@http://h:1/v1", "org/model", "http://h:1/v1"),
        ("openai:@cf/meta/llama@https://Gate.Example/v1", "@cf/meta/llama", "https://gate.example/v1"),
        ("openai:a@http://b@http://c:1/v1", "a@http://b", "http://c:1/v1"),
        ("m@http://[::1]:8000/v1", "m", "http://[::1]:8000/v1"),
    ],
)
def test_openai_specs(text: str, name: str, url: str | None) -> None:
    """NAME may hold slashes, colons and ats; the URL begins at the last @http."""
    spec = parse_spec(text)
    assert (spec.kind, spec.name, spec.base_url and spec.base_url.url) == ("openai", name, url)
    assert parse_spec(spec.text) == spec


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("anthropic:claude-x", None),
        ("anthropic:claude-x@http://h:1/", "http://h:1"),
        ("anthropic:a@b@http://h:1", None),
    ],
)
def test_anthropic_specs(text: str, url: str | None) -> None:
    """The same forms; the URL ends before the path of the API."""
    spec = parse_spec(text)
    assert spec.kind == "anthropic" and parse_spec(spec.text) == spec
    if url:
        assert spec.base_url is not None and spec.base_url.url == url


def test_local_spec() -> None:
    """The embedded default."""
    assert (parse_spec("local:smollm2").kind, parse_spec("local:smollm2").name) == ("local", "smollm2")


def test_a_local_spec_with_an_adapter() -> None:
    """A PEFT folder or a GGUF file; the name of the base is not all of its name."""
    for text in ("smollm2+out/my adapter", "smollm2+a.gguf", "smollm2+a?untrained=yes"):
        spec = parse_spec(f"local:{text}")
        assert (spec.kind, spec.name, spec.text) == ("local", text, f"local:{text}")
        assert spec.weights is not None and spec.weights.base == "smollm2"


def test_secrets_of_a_url_are_kept_apart() -> None:
    """User name, password and query are sent, but stand in no text and no repr."""
    spec = parse_spec("openai:m@http://user:pa%40ss@127.0.0.1:9/v1?api_key=CANARY&x=1")
    assert spec.base_url is not None
    assert spec.text == "openai:m@http://127.0.0.1:9/v1"
    assert spec.base_url.userinfo == "user:pa@ss"
    assert spec.base_url.query == (("api_key", "CANARY"), ("x", "1"))
    assert not any(secret in repr(spec) for secret in ("user", "pa@ss", "CANARY"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "one word"),
        ("   ", "one word"),
        ("gpt 4", "one word"),
        ("gpt\x1b[31m", "one word"),
        ("gpt\n", "one word"),
        ("openai:", "no name"),
        ("local:", "no name"),
        ("@http://h/v1", "one word"),
        ("openai:@http://h/v1", "no name"),
        ("local:smolm2", "did you mean 'local:smollm2'"),
        ("local:llama", "did you mean 'local:smollm2'"),
        ("local:llama+out/adapter", "unknown local model 'llama\\+out/adapter'"),
        ("local:smollm2+", "neither of them empty"),
        ("local:smollm2?untrained=yes", "options are those of an adapter"),
        ("local:smollm2+a?load=4bit", "'load' is an option of hf: and vllm: alone; those of local: are untrained"),
        ("local:smollm2@http://h/v1", "takes no URL"),
        ("opnai:gpt-4o", "did you mean 'openai:gpt-4o'"),
        ("OpenAI:gpt-4o", "did you mean 'openai:gpt-4o'"),
        ("anthropic:", "no name"),
        ("antropic:claude", "did you mean 'anthropic:claude'"),
        ("anthropic:m@localhost:8000", "needs its scheme, http:// or https://: anthropic:NAME@http://host:port$"),
        ("anthropic:m@http://", "no usable host .*expected http://host:port$"),
        ("hf:", "no name"),
        ("hf:org/m@http://h/v1", "takes no URL"),
        ("huggingface:org/m 1", "spaces"),
        ("vllm:", "no name"),
        ("vllm:org/m@http://h/v1", "takes no URL"),
        ("openai:m@localhost:8000/v1", "needs its scheme"),
        ("openai:m@127.0.0.1:8000", "needs its scheme"),
        ("openai:m@gateway.corp/v1", "needs its scheme"),
        ("openai:m@", "needs its scheme"),
        ("openai:m@ftp://h/v1", "needs its scheme, http:// or https://: "),
        ("openai:m@http://", "no usable host"),
        ("openai:m@http://h:99999/v1", "cannot be read"),
        ("openai:m@http://h:x/v1", "cannot be read"),
        ("openai:m@http://[::1/v1", "cannot be read"),
        ("openai:m@http://h/v1#frag", "fragment"),
        ("openai:m@http://h/v 1", "spaces"),
        ("openai:m@http://hö/v1", "outside ASCII"),
        ("openai:m@http://a,b/v1", "no usable host"),
        ("openai:m@http://h/v1,openai:n@http://h/v1", "one model at one address: repeat the option"),
        ("gpt-4o,openai:n@http://h/v1", "one model at one address: repeat the option"),
        ("openai:m@http://h/v1,openai:n", "the base URL holds a comma; a spec is one model at one address"),
        ("openai:m@http://h/v1/chat/completions", "ends with /chat/completions, which is added for each request"),
        ("anthropic:m@http://h/v1/messages/", "ends with /messages/, which is added"),
        ("anthropic:m@http://h,n@HTTPS://h", "one model at one address"),
    ],
)
def test_malformed_specs_are_refused_with_advice(text: str, message: str) -> None:
    """The message says what was found and what to write, on one line."""
    with pytest.raises(ModelError, match=message) as caught:
        parse_spec(text)
    assert str(caught.value).isprintable()


EXAMPLES = "gpt-4o-mini, openai:NAME@http://host:port/v1 or local:smollm2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("openia:gpt", "model 'openia:gpt': unknown kind 'openia'; did you mean 'openai:gpt'?"),
        ("local:smollm3", "model 'local:smollm3': unknown local model 'smollm3'; did you mean 'local:smollm2'?"),
        (
            "openai:x@localhost:8000/v1",
            "model 'openai:x@localhost:8000/v1': an address needs its scheme, http:// or https://: "
            "openai:NAME@http://host:port/v1",
        ),
        ("openai:", f"model 'openai:': no name after 'openai:'; expected for example {EXAMPLES}"),
        ("a b", f"model 'a b': a spec is one word without spaces, such as {EXAMPLES}"),
        ("x\x1b[31my", f"model 'x\\x1b[31my': a spec is one word without spaces, such as {EXAMPLES}"),
    ],
)
def test_a_malformed_spec_is_told_in_whole(text: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_spec(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("rest", ["", ":99999/v1", "/v1#x", "/v 1"])
def test_a_refused_url_does_not_show_its_password(rest: str) -> None:
    """What is wrong is said without repeating the URL."""
    with pytest.raises(ModelError) as caught:
        parse_spec(f"openai:m@http://user:CANARY@{rest}?k=CANARY")
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "openai:m@user:CANARY@host:8000/v1",
        "openai:m@user:CANARY@host",
        "anthropic:m@user:CAN@ARY:CANARY@localhost",
        "m@user:CANARY?x@host:8000/v1?k=CANARY",
        "m@ftp://user:CANARY@host/v1",
        "opnai:m@user:CANARY@host:8000/v1?k=CANARY",
        "openai:m@user: CANARY@host:8000",
        "http://user:CANARY@host/v1?k=CANARY",
        "m@http://user:CANARY/x@host/v1",
        "m@http://user:CANARY#x@host/v1",
        "m@http://user:[CANARY]@host/v1",
        "local:foo@user:CANARY@host:80",
        "local:https://user:CANARY@host/v1",
        "anthropic:claude@host:80?key=CANARY",
        "openai:gpt@localhost?key=CANARY",
        "m@http://user:CANARY@host/v1?k=CANARY,n@http://host/v1?k=CANARY",
    ],
)
def test_an_address_that_cannot_be_read_does_not_show_its_password(text: str) -> None:
    """Nor its query: nobody has told yet what is secret in it."""
    with pytest.raises(ModelError) as caught:
        parse_spec(text)
    assert "CANARY" not in str(caught.value) and str(caught.value).isprintable()


@given(st.text(max_size=40))
def test_any_text_is_a_spec_or_a_model_error(text: str) -> None:
    """Nothing else is raised, and what is accepted reads back the same."""
    for candidate in (text, f"openai:{text}", f"openai:m@http://{text}", f"anthropic:{text}"):
        try:
            spec = parse_spec(candidate)
        except ModelError as error:
            assert str(error).isprintable()
        else:
            assert parse_spec(spec.text).text == spec.text
