"""What of a secret is recognised: with blanks around it, line by line, cut, and by which names."""

import pytest

from pytest_llmeval.models.keys import known_secrets
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.redaction import Redactor, secrets_in
from pytest_llmeval.models.specs import parse_spec

KEY = "sk-proj-QWERTYuiop1234567890ASDFGHjkl0987654321zxcvbnmTAILTAIL"
PEM_LINES = ["MIIEvgIBADANBgkqhkiG9w0BAQEFAASCPEMLINE1", "ZZZIBADANBgkqhkiG9w0BAQEFAASCPEMLINE2abcd"]
PEM = "\n".join(["-----BEGIN PRIVATE KEY-----", *PEM_LINES, "-----END PRIVATE KEY-----"])
ACCOUNT = '{\n  "project_id": "my-project-123",\n  "client_secret": "GOCSPX-0123456789"\n}'


@pytest.mark.parametrize("around", ["\n", "\r\n", " ", "\t"])
def test_a_secret_with_blanks_around_it_is_the_secret_within(around: str) -> None:
    """As every program reads it that takes the line end away."""
    environ = {"SVC_PASSWORD": f"{around}hunter2{around}", "GATEWAY": f"{KEY}{around}"}
    model = NamedModel(name="m", spec=parse_spec("m@http://h:1/v1"), api_key_env="GATEWAY")
    redact = Redactor(known_secrets(environ, [model]))
    assert redact(f"login failed for svc:hunter2 with {KEY}") == "login failed for svc:*** with ***"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\\n"])
def test_each_long_line_of_a_secret_of_several_is_one(line_end: str) -> None:
    r"""Whoever shows an error puts something before each line; ``\n`` in the value may be written out too."""
    redact = Redactor(secrets_in({"MY_PRIVATE_KEY": PEM.replace("\n", line_end)}))
    told = redact("".join(f"E       {line}\n" for line in PEM.split("\n")))
    assert not any(line[:16] in told or line[-8:] in told for line in PEM_LINES)
    assert redact("-----END PUBLIC KEY-----") == "-----END PUBLIC KEY-----"


def test_the_names_in_lines_of_a_secret_are_none() -> None:
    redact = Redactor(secrets_in({"GOOGLE_CREDENTIALS": ACCOUNT}))
    assert redact('E     "client_secret": "GOCSPX-0123456789"') == "E     ***"
    assert redact('{"project_id": "x", "client_secret": null}') == '{"project_id": "x", "client_secret": null}'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Bearer {KEY[:40]}", "Bearer ***"),
        (f"Bearer {KEY[:40]}...{KEY[-14:]}'", "Bearer ***...***'"),
        (f"'Bea...{KEY[8:]}', {KEY[:30]}…", "'Bea...***', ***…"),
        (f"split {KEY[:15]}\n{KEY[15:40]}\\n{KEY[40:]}.", "split ***."),
        (f"{KEY[:14]} told, {KEY[:12]}", "*** told, ***"),
        (f"its end is {KEY[-14:]}", f"its end is {KEY[-14:]}"),
    ],
)
def test_what_goes_on_behind_the_beginning_of_a_key_is_masked_too(text: str, shown: str) -> None:
    """Whoever shortens a text cuts it at the end or in the middle; a server may break a line."""
    assert Redactor([KEY, f"{KEY[:20]}-another-key"])(text) == shown


def test_the_beginning_that_keys_share_is_followed_by_the_one_that_goes_on() -> None:
    first, second = "sk-ant-api03-AAAAAAAAAAAAAAAA", "sk-ant-api03-BBBBBBBBBBBBBBBB"
    assert Redactor([first, second])(f"{first[:25]} {second[:25]}") == "*** ***"


@pytest.mark.parametrize(
    "name",
    ["OPENAI_API_KEY2", "GEMINI_API_KEY1", "APIKEY1", "SECRET1", "DB_PASSWORD1", "DB_PASS2", "BEARER_TOKEN2",
     "KEY2_OLD", "ACCESSTOKEN", "accessToken", "AUTHTOKEN", "GITHUBTOKEN", "SECRETKEY", "PRIVATEKEY", "STORAGEKEY",
     "AccountKey", "S3ACCESSKEY", "API_TOKENS", "HF_TOKENS", "MY_PASSPHRASE"],
)  # fmt: skip
def test_a_name_may_have_a_number_or_be_written_in_one_word(name: str) -> None:
    assert secrets_in({name: "v1-abcdefgh"}) == ("v1-abcdefgh",)


def test_a_list_of_tokens_holds_tokens() -> None:
    found = secrets_in({"API_TOKENS": "tok-0123456789,tok-9876543210", "STOP_TOKENS": "<|im_end|>,<|endoftext1|>"})
    assert found == ("tok-0123456789,tok-9876543210", "tok-0123456789", "tok-9876543210")


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAX_TOKENS", "100000"), ("MAX_TOKENS", "128_000"), ("MAX_NEW_TOKENS", "4096"), ("TOKENS_PER_MINUTE", "1500000"),
     ("TOKENS_PER_MINUTE", "100000.5"), ("SKIP_SPECIAL_TOKENS", "default1234"), ("COUNT_TOKENS", "enabled"),
     ("CLEANTOKEN", "disabled"), ("LASTTOKEN", "1048576"), ("TOKENIZERS_PARALLELISM", "sk-0123456789"),
     ("KEYBOARD", "sk-0123456789"), ("MONKEY", "sk-0123456789"), ("MONKEY2", "sk-0123456789"),
     ("TOKENIZER2", "sk-0123456789"), ("HOTKEY1", "sk-0123456789"), ("SECRETARY1", "sk-0123456789")],
)  # fmt: skip
def test_a_name_or_a_value_that_speaks_of_something_else_is_no_secret(name: str, value: str) -> None:
    assert secrets_in({name: value}) == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAX_TOKENS", '{"gpt-4o": 16384, "claude-3-5-sonnet": 8192}'), ("MAX_TOKENS", "4096 # tokens per answer"),
     ("MAX_TOKENS", '"128000"'), ("CHUNK_TOKENS", "100000, 200000"), ("LABEL_TOKENS", "positive,negative,neutral"),
     ("TOKENS_MODEL", "text-embedding-3-large"), ("TOKENS_MODEL", "claude-3-5-sonnet-20241022"),
     ("TOKENS_MODEL", "meta-llama/Llama-3.1-8B-Instruct"), ("TOKENS_ENCODING", "cl100k_base"),
     ("COUNT_TOKENS_URL", "https://api.anthropic.com/v1/messages/count_tokens"),
     ("COUNT_TOKENS_URL", "https://h/0123456789abcdef0123"), ("API_TOKENS", '"4096"'), ("API_TOKENS", "1000, 20000000"),
     ("API_TOKENS", '{"claude-3-5-sonnet": 8192}'), ("MAX_API_TOKENS_MODEL", "claude-3-5-sonnet")],
)  # fmt: skip
def test_what_looks_like_no_token_is_none_where_a_name_speaks_of_many(name: str, value: str) -> None:
    """Words, models and numbers, each of a list and of JSON too."""
    assert secrets_in({name: value}) == ()


@pytest.mark.parametrize(
    "token",
    ["sk-ant-api03-QWERTYuiop1234567890-ASDF", "hf2QWERTYuiop345asdf", "3f2b8c1e-9d4a-4f6b-8e2c-1a2b3c4d5e6f",
     "xoxb-1234567890123-1234567890123-AbCdEfGhIjKlMn12"],
)  # fmt: skip
def test_what_looks_like_a_token_is_one_where_a_name_speaks_of_many(token: str) -> None:
    assert secrets_in({"PROXY_TOKENS": f'["{token}", "{KEY}"]'}) == (f'["{token}", "{KEY}"]', token, KEY)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://dbuser:dbp4ssw0rd/x@db/main", "postgres://***@db/main"),
        ("at 'postgres+x://u:p/a/ss@db:5432/main'", "at 'postgres+x://***@db:5432/main'"),
        ("http://u:p/a@b@h/v1", "http://***@h/v1"),
        ("to postgres://u:p/a@db.example:5432", "to postgres://***@db.example:5432"),
        ("mysql://me:pa/%24ss:w+rd!@[::1]:3306/main", "mysql://***@[::1]:3306/main"),
    ],
)
def test_a_password_in_a_url_may_hold_a_slash(text: str, shown: str) -> None:
    assert Redactor()(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://medium.example/@user", "http://h:8000/users/me@b.example", "http://[::1]:8000/me@b.example",
        "https://h/a:b@c", "http://h:/x@y", "file:///a:b@c", "http://h:x/?to=me@b.example", "see a://b:c d@e",
        "fetch(`http://localhost:${PORT}/users/@me/x`)", "http://localhost:PORT/users/me@b.example/x",
        "ssh://github.com:org/repo.git@v1.0/x", "http://{host}:{port}/@vite/client", "http://<host>:<port>/x@y/z",
        "https://host:port/api/users/me@b.example/x", "docker://alpine:3.18/x@sha256:01ab", "http://h:p/x@sha256:01ab",
        "github://org:repo/x@main", "[x](http://h:y/z),[m](mailto:a@b.c/d)", r"http://h:p/x\nme@x/y",
        "http://api:$PORT/a@b/c", "http://api:%d/a@b/c", "http://web:app/@scope/name",
    ],
)  # fmt: skip
def test_a_path_or_a_query_of_a_url_holds_no_password(text: str) -> None:
    assert Redactor()(text) == text


def test_many_urls_take_no_longer_than_as_many_characters() -> None:
    text = "://u:p" * 50_000
    assert Redactor()(text) == text


@pytest.mark.parametrize(
    "value", ['{"alice": "%s"}', "%s,none", "%s, other # for two"], ids=["object", "none beside it", "comment"]
)
@pytest.mark.parametrize("name", ["API_TOKENS", "PROXY_TOKENS"])
def test_of_a_list_with_other_words_what_looks_like_a_token_is_a_secret(name: str, value: str) -> None:
    token = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    assert secrets_in({name: value % token}) == (token,)


def test_a_secret_that_is_not_utf8_is_masked_as_it_is() -> None:
    """As the environment gives it: its bytes that are none stand as lone surrogates."""
    secret = b"p\xe4sswort1234".decode("utf-8", "surrogateescape")
    assert Redactor([secret])(f"with {secret}, ok") == "with ***, ok"
