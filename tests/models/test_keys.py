"""Which key reaches which server, seen by the server."""

import base64
import re
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import quote

import pytest

from pytest_llmeval.core.errors import ErrorKind, ModelError
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.http.retry import Slot
from pytest_llmeval.models.keys import find_account
from pytest_llmeval.models.named import NamedModel, resolve_model
from pytest_llmeval.models.redaction import Redactor, secrets_in
from pytest_llmeval.models.registry import open_model
from pytest_llmeval.models.specs import parse_spec
from tests.support.asking import Ask, Fail, embedded_at, sent
from tests.support.chat_bodies import completion
from tests.support.fault_server import FaultServer
from tests.support.vendors import Vendor

KEY = "sk-CANARY/0123+456789abcdef"
IDENTITY = {
    "OPENAI_ORG_ID": "org-CANARY",
    "OPENAI_PROJECT_ID": "proj-CANARY",
    "OPENAI_CUSTOM_HEADERS": "X-Gateway: gate-CANARY\nUser-Agent: agent-CANARY",
    "OPENAI_ADMIN_KEY": "admin-CANARY",
    "ANTHROPIC_AUTH_TOKEN": "token-CANARY",
    "ANTHROPIC_CUSTOM_HEADERS": "X-Other: other-CANARY",
    "ANTHROPIC_PROFILE": "profile-CANARY",
    "ANTHROPIC_WEBHOOK_SIGNING_KEY": "signing-CANARY",
}


@pytest.fixture(autouse=True)
def sdk_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what the SDKs read by themselves: none of it may decide anything."""
    ambient = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY"), "ambient-CANARY")
    for name, value in {**IDENTITY, **ambient, "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)


def keys(server: FaultServer) -> dict[str, str]:
    """Return the headers of the only request that carry a key."""
    return {name: value for name, value in sent(server).items() if name in ("authorization", "x-api-key")}


def test_a_url_gets_no_key_of_the_environment(speaking: FaultServer, vendor: Vendor) -> None:
    """A base URL from somewhere sees a dummy: not the vendor's key nor anything else that its SDK reads."""
    vendor.ask(speaking.spec("echo"), environ={"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, **IDENTITY})
    assert keys(speaking) == vendor.key_headers("no-key")
    assert "CANARY" not in str(sent(speaking))
    assert not any(name.startswith(("openai-", "x-stainless")) for name in sent(speaking))


def test_a_url_gets_the_key_meant_for_it(speaking: FaultServer, vendor: Vendor) -> None:
    """LLMEVAL_API_KEY, and before it the variable that api_key_env names."""
    others = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY"), "sk-other")
    environ = {**others, "LLMEVAL_API_KEY": KEY, "MINE": " sk-mine\n"}
    vendor.ask(speaking.spec("echo"), environ=environ)
    assert keys(speaking) == vendor.key_headers(KEY)
    speaking.ledger.clear()
    model = NamedModel(name="m", spec=parse_spec(speaking.spec("echo")), api_key_env="MINE")
    vendor.ask(model, environ=environ)
    assert keys(speaking) == vendor.key_headers("sk-mine")


def test_openai_base_url_gets_openais_key_and_identity(server: FaultServer, ask: Ask) -> None:
    """The user's own address for OpenAI's protocol gets what the mapping says."""
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url, "LLMEVAL_API_KEY": "sk-no", **IDENTITY}
    ask("echo", environ=environ)
    headers = sent(server)
    assert headers["authorization"] == f"Bearer {KEY}"
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-CANARY", "proj-CANARY")
    assert (headers["x-gateway"], headers["user-agent"]) == ("gate-CANARY", "agent-CANARY")


def test_openai_base_url_without_a_key_gets_a_dummy(server: FaultServer, ask: Ask) -> None:
    """A local server at OPENAI_BASE_URL needs no key."""
    ask("echo", environ={"OPENAI_BASE_URL": server.url})
    assert sent(server)["authorization"] == "Bearer no-key"


def test_api_key_env_works_without_a_url(server: FaultServer, ask: Ask) -> None:
    """A named model may have a key of its own at OpenAI's address."""
    model = NamedModel(name="m", spec=parse_spec("echo"), api_key_env="MINE")
    ask(model, environ={"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY, "MINE": "sk-mine"})
    assert sent(server)["authorization"] == "Bearer sk-mine"


def test_openais_key_cannot_be_named_for_another_server(server: FaultServer, ask: Ask) -> None:
    """models.yaml cannot send OPENAI_API_KEY elsewhere; to OPENAI_BASE_URL it can."""
    model = NamedModel(name="m", spec=parse_spec(server.spec("echo")), api_key_env="OPENAI_API_KEY")
    with pytest.raises(ModelError, match="OPENAI_API_KEY goes only to"):
        check_model(model, {"OPENAI_API_KEY": KEY})
    ask(model, environ={"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url})
    assert sent(server)["authorization"] == f"Bearer {KEY}"


def test_user_name_and_password_of_a_url_are_sent_and_not_shown(speaking: FaultServer, vendor: Vendor) -> None:
    """As Basic authorization, with the query and without a key; no error text has them."""
    spec = f"{vendor.spec('fault-echoauth', f'user:pw-CANARY@127.0.0.1:{speaking.port}')}?api_key=q-CANARY"
    error = vendor.fail(spec, environ={"LLMEVAL_API_KEY": KEY})
    token = base64.b64encode(b"user:pw-CANARY").decode()
    assert keys(speaking) == {"authorization": f"Basic {token}"}
    assert speaking.ledger[0].path == f"{vendor.path}?api_key=q-CANARY"
    assert "CANARY" not in str(error) and token not in str(error) and "***" in str(error)


@pytest.mark.parametrize("code", ["401", "403", "400", "500"])
def test_an_echoed_key_is_redacted(speaking: FaultServer, vendor: Vendor, code: str) -> None:
    """A provider that repeats the credential leaks nothing."""
    error = vendor.fail(speaking.spec(f"fault-echoauth-{code}"), environ={"LLMEVAL_API_KEY": KEY})
    assert "CANARY" not in str(error) and "Bearer ***" in str(error)


@pytest.mark.parametrize(
    ("environ", "named", "told"),
    [
        ({"OPENAI_API_KEY": KEY}, None, " (no key was sent: set LLMEVAL_API_KEY, or api_key_env in models.yaml)"),
        ({"LLMEVAL_API_KEY": KEY}, None, " (the key in LLMEVAL_API_KEY was sent)"),
        ({"MINE": KEY}, "MINE", " (the key in MINE was sent)"),
        ({KEY: "sk-mine"}, KEY, ""),
    ],
)
def test_a_refused_key_is_told_by_its_variable(
    server: FaultServer, fail: Fail, environ: dict[str, str], named: str | None, told: str
) -> None:
    """Before what the server says, which lines are cut in; but where a name may be a key by mistake."""
    model = NamedModel(name="m", spec=parse_spec(server.spec("fault-status-401")), api_key_env=named)
    assert str(fail(model, environ=environ)) == f"m at 127.0.0.1:{server.port}{told}: HTTP 401: fault 401"


def test_a_key_at_the_end_of_the_quote_is_redacted_before_it_is_cut(server: FaultServer, fail: Fail) -> None:
    """Half a key would not be recognised any more."""
    for pad in range(140, 180):
        server.reply = lambda messages, pad=pad: {"pad": "x" * pad, "key": KEY}  # type: ignore[misc]
        assert "sk-CA" not in str(fail(server.spec("echo"), environ={"LLMEVAL_API_KEY": KEY}))


def test_an_answer_may_speak_of_what_a_header_says_and_repeats_no_secret_of_one(server: FaultServer, ask: Ask) -> None:
    """Which of them is one its name tells, or letters and digits as tokens have them; scorers see the others."""
    said = "customer-support asked with shared-CANARY and eyJhbGciOiJIUzI1NiIs"
    server.reply = lambda messages: said
    headers = "X-Project: customer-support\nX-Team-Token: shared-CANARY\nX-Assertion: eyJhbGciOiJIUzI1NiIs"
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url, "OPENAI_CUSTOM_HEADERS": headers}
    assert ask("echo", environ=environ).text == "customer-support asked with *** and ***"


def test_redirect_takes_no_key_along(speaking: FaultServer, vendor: Vendor) -> None:
    """Neither another host nor the same is followed."""
    with FaultServer() as thief:
        for spec in (f"fault-redirect-307-{thief.port}", "fault-redirect-308"):
            error = vendor.fail(speaking.spec(spec), environ={"LLMEVAL_API_KEY": KEY})
            assert error.kind is ErrorKind.REDIRECT and "redirect to http://127.0.0.1" in str(error)
        assert thief.ledger == []
    assert [entry.path for entry in speaking.ledger] == [vendor.path] * 2


@pytest.mark.parametrize(
    ("text", "environ", "message"),
    [
        ("gpt-4o-mini", {}, "OPENAI_API_KEY is not set.*local:smollm2"),
        ("gpt-4o-mini", {"OPENAI_API_KEY": "  "}, "OPENAI_API_KEY is not set"),
        ("gpt-4o-mini", {"OPENAI_BASE_URL": "https://api.openai.com/v1"}, "OPENAI_API_KEY is not set"),
        ("gpt-4o-mini", {"OPENAI_API_KEY": "sk\n1"}, "OPENAI_API_KEY holds characters"),
        ("gpt-4o-mini", {"OPENAI_API_KEY": "sk-ключ"}, "OPENAI_API_KEY holds characters"),
        ("gpt-4o-mini", {"OPENAI_BASE_URL": "localhost"}, "OPENAI_BASE_URL: the base URL"),
        ("gpt-4o-mini", {"OPENAI_API_KEY": "k", "OPENAI_ORG_ID": "ö"}, "OPENAI_ORG_ID"),
        ("gpt-4o-mini", {"OPENAI_API_KEY": "k", "OPENAI_CUSTOM_HEADERS": "X: ö"}, "^OPENAI_CUSTOM_HEADERS holds"),
        ("anthropic:claude", {}, "ANTHROPIC_API_KEY is not set.*anthropic:claude@http://host:port.*local:smollm2"),
        ("anthropic:claude", {"OPENAI_API_KEY": KEY}, "ANTHROPIC_API_KEY is not set"),
        ("anthropic:claude", {"ANTHROPIC_API_KEY": "sk\n1"}, "ANTHROPIC_API_KEY holds characters"),
        ("anthropic:claude", {"ANTHROPIC_BASE_URL": "localhost"}, "ANTHROPIC_BASE_URL: the .*http://host:port$"),
        ("anthropic:claude", {"ANTHROPIC_BASE_URL": "http://h/v1"}, "ANTHROPIC_BASE_URL: .* before /v1: http://h$"),
        ("anthropic:m@http://h:1/v1/", {}, "model 'm': .* before /v1: http://h:1$"),
        ("anthropic:claude", {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_CUSTOM_HEADERS": "X: ö"}, "a header cannot have"),
    ],
)
def test_missing_or_senseless_settings_are_usage_errors(text: str, environ: dict[str, str], message: str) -> None:
    """Said before any call, with what to do."""
    with pytest.raises(ModelError, match=message):
        check_model(resolve_model(text, {}), environ)


def test_api_key_env_that_is_not_set() -> None:
    """A named variable must be there: a dummy would hide the mistake."""
    model = NamedModel(name="m", spec=parse_spec("openai:m@http://h:1/v1"), api_key_env="MINE")
    with pytest.raises(ModelError, match="api_key_env names MINE, which is not set"):
        check_model(model, {"LLMEVAL_API_KEY": KEY})


@pytest.mark.parametrize(
    "key", ["gsk_CANARYabc123", "AKIACANARY0123456789", "hf_CANARYabcdefgh", "canary0123456789abcdef"]
)
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_key_in_place_of_its_variables_name_is_not_shown(kind: str, key: str) -> None:
    """Though it could be the name of a variable: it looks like none."""
    model = NamedModel(name="m", spec=parse_spec(f"{kind}:m@http://h:1"), api_key_env=key)
    with pytest.raises(ModelError, match="api_key_env holds the NAME of a variable") as caught:
        check_model(model, {})
    assert key not in str(caught.value)
    check_model(model, {key: "a name after all"})


def test_no_repr_shows_a_key(vendor: Vendor) -> None:
    """Backend, account and redactor print without it."""
    redactor = Redactor()
    backend = vendor.open(vendor.spec("m", "h:1"), environ={"LLMEVAL_API_KEY": KEY}, redactor=redactor)
    assert "CANARY" not in repr(backend) + repr(redactor) + repr(vars(backend)) + repr(backend.spec)
    assert redactor(f"a {KEY} b") == "a *** b"


def account_of(url: str, **environ: str) -> str:
    """Return the account against whose limits a model of ``url`` counts."""
    model = NamedModel(name="m", spec=parse_spec(f"m@{url}"), api_key_env="MINE" if "MINE" in environ else None)
    return open_model(model, environ=environ).account


def test_an_account_is_a_server_and_what_it_is_sent() -> None:
    """Its id is the same in every process, differs with address and key, and tells nothing of the key."""
    url = "http://h:1/v1"
    assert account_of(url) == account_of(url + "/") == "d484525e253b"
    others = [account_of("http://h:2/v1"), account_of(f"{url}?k={KEY}"), account_of("http://u:pw@h:1/v1")]
    keys = [account_of(url, LLMEVAL_API_KEY=KEY), account_of(url, MINE="other-key")]
    assert account_of(url, MINE=KEY) == keys[0]
    assert len({account_of(url), *others, *keys}) == 6
    assert all(re.fullmatch("[0-9a-f]{12}", account) for account in others + keys)


def test_models_of_one_account_share_what_limits_it(server: FaultServer, ask: Ask) -> None:
    """``slots`` is called once for each backend, with its account."""
    asked: list[str] = []

    def slots(account: str) -> Slot:
        asked.append(account)
        return nullcontext

    for name in ("echo", "fault-status-503-1"):
        ask(server.spec(name), slots=slots)
    assert asked == [account_of(server.url)] * 2


def test_all_local_models_are_one_account(server: FaultServer, ask: Ask) -> None:
    """Whatever port and key their server has in this process."""
    asked: list[str] = []

    def slots(account: str) -> Slot:
        asked.append(account)
        return nullcontext

    pytest.importorskip("xllamacpp")
    ask("local:smollm2", slots=slots, hosts=embedded_at(server.url, KEY))
    assert asked == ["local"] and sent(server)["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("form", [KEY, f"Bearer {KEY}", quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode()])
def test_an_answer_that_echoes_the_key_is_redacted(server: FaultServer, ask: Ask, form: str) -> None:
    """All that it says, in whole spellings of the account's secrets; the rest of the text is as it was."""
    said = completion(
        f"<a {form} b://u:p@c>",
        model=f"m {form}",
        finish=f"stop {form}",
        refusal=f"no {form}!",
        tool_calls=[{"function": {"name": f"f{form}", "arguments": f"<{form}>"}}],
    )
    server.reply = lambda messages: {**said, "system_fingerprint": f"fp {form}"}
    response = ask(server.spec("echo"), environ={"LLMEVAL_API_KEY": KEY})
    assert "CANARY" not in repr(response) and form not in repr(response)
    assert response.text.endswith("*** b://u:p@c>") and str(response.refusal).endswith("***!")
    facts = str(response.model), str(response.finish_reason), str(response.system_fingerprint)
    assert all(fact.endswith("***") for fact in facts)
    (call,) = response.tool_calls
    assert call.name.endswith("***") and call.arguments.endswith("***>")


def test_the_name_asked_for_is_no_secret_though_the_query_has_it(server: FaultServer, ask: Ask) -> None:
    """A gateway may choose by it; the rest of the query is masked."""
    server.reply = lambda messages: completion("I am echo-3.1-8b at CANARY-12345", model="echo-3.1-8b")
    response = ask(f"{server.spec('echo-3.1-8b')}?route=echo-3.1-8b&sig=CANARY-12345")
    assert (response.text, response.model) == ("I am echo-3.1-8b at ***", "echo-3.1-8b")


@pytest.mark.parametrize("key", ["ollama", "production", "s3cret!", KEY])
def test_an_answer_keeps_its_own_words(server: FaultServer, ask: Ask, key: str) -> None:
    """A key that may be a word, and the beginning of a key, are left alone: scorers judge the text."""
    text = f"{key[:12]} in the production of ollama"
    assert ask(server.spec("echo"), text, environ={"LLMEVAL_API_KEY": key}).text == text


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
def test_redactor_finds_every_spelling(before: str) -> None:
    """Raw, URL-encoded, in base64 at any offset, cut short: none stays."""
    redact = Redactor([KEY])
    data = f"{before}{KEY}".encode()
    for text in (KEY, quote(KEY), quote(KEY, safe=""), KEY[:12] + "…"):
        assert "CANARY" not in redact(f"x {text} y")
    for text in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
        redacted = redact(text)
        assert "***" in redacted and len(redacted.replace("***", "")) <= len(before) * 2 + 6


def test_redactor_leaves_words_alone() -> None:
    """A key of a few letters is not looked for; user names in URLs are."""
    redact = Redactor(["a", "", "test"])
    assert redact("a test at http://me:pw@host/x") == "a test at http://***@host/x"


def test_nothing_is_left_of_a_password_that_holds_an_at_sign() -> None:
    for secrets in ([], ["user:pa@ssword", "pa@ssword"]):
        told = Redactor(secrets)("no answer from http://user:pa@ssword@host/v1, nor postgresql://app:pa@ssword@db")
        assert "pa" not in told and "ssword" not in told
        assert "host/v1" in told
    assert Redactor()("https://u:p@h:8000?to=me@b.example") == "https://***@h:8000?to=me@b.example"


def test_a_list_of_keys_holds_keys_and_a_number_of_tokens_is_none() -> None:
    environ = {"OPENAI_API_KEYS": '["sk-first","sk-second"]', "DB_PASS": "hunter2", "MAX_TOKENS": "100000",
               "PWD": "here", "GITHUB_PAT": "ghp_1", "AWS_ACCESSKEY": "a1", "MIN_PASS_RATE": "0.95"}  # fmt: skip
    found = [each for each in secrets_in(environ) if each]
    assert found == ['["sk-first","sk-second"]', "hunter2", "ghp_1", "a1", "sk-first", "sk-second"]


def test_secrets_are_known_by_the_names_of_their_variables() -> None:
    """Keys, tokens, secrets and passwords; not the files that hold them."""
    environ = {
        "MY_API_KEY": "k1",
        "HF_TOKEN": "t1",
        "DB_PASSWORD": "p1",
        "OPENAI_APIKEY": "k2",
        "SSH_KEY_PATH": "/home/me/.ssh/id",
        "KEYBOARD": "us",
        "TOKENIZERS_PARALLELISM": "false",
    }
    assert secrets_in(environ) == ("k1", "t1", "p1", "k2")


@pytest.mark.parametrize("first", ["/", ".", "~"])
def test_a_secret_may_begin_like_a_path(first: str, tmp_path: Path) -> None:
    """A key of AWS is base64; a path is told by the name of its variable, or because it is there."""
    environ = {
        "AWS_SECRET_ACCESS_KEY": f"{first}wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLE",
        "PGPASSWORD": f"{first}hunter2",
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path),
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{first}/not/there/yet",
    }
    assert secrets_in(environ) == (environ["AWS_SECRET_ACCESS_KEY"], environ["PGPASSWORD"])


@pytest.mark.parametrize("name", ["api-key", "accessToken", "auth", "sig"])
def test_an_answer_may_say_what_the_query_says_unless_that_is_a_secret(
    server: FaultServer, ask: Ask, name: str
) -> None:
    query = f"?api-version=2024-10-21&{name}=hunter2secret"
    answer = ask(f"{server.spec('echo')}{query}", '{"date": "2024-10-21", "said": "hunter2secret"}')
    assert answer.text == '{"date": "2024-10-21", "said": "***"}'


@pytest.mark.parametrize("text", ["gpt-4o-mini", "anthropic:claude", "openai:m@http://u:p@h:1/v1"])
def test_a_model_that_is_not_asked_gets_no_key(text: str) -> None:
    model = resolve_model(text, {})
    check_model(model, {}, is_asked=False)
    environ = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, "LLMEVAL_API_KEY": KEY}
    account = find_account(model, environ, is_asked=False)
    assert KEY not in repr((account.headers, account.secrets, account.echoed))
    assert account.secrets == ()
