"""An application that uploads a file by the client of its case: that is refused, and the case knows of it."""

import pytest

from tests.support.project import Project

SYNC = """
def test_upload(sample, model, score):
    from pytest_llmeval import anthropic_client, openai_client
    try:
        upload(openai_client(model), anthropic_client(model), sample.input)
    except Exception:
        pass
    score.exact("fallback", "fallback")
"""
ASYNC = """
async def test_upload(sample, model, score):
    from pytest_llmeval import async_anthropic_client, async_openai_client
    try:
        await upload(async_openai_client(model), async_anthropic_client(model), sample.input)
    except Exception:
        pass
    score.exact("fallback", "fallback")
"""
UPLOAD = """
def upload(openai, anthropic, what):
    file = ("a.txt", b"hello", "text/plain")
    if what == "file":
        return openai.files.create(file=file, purpose="assistants")
    if what == "sound":
        return openai.audio.transcriptions.create(file=file, model="whisper-1")
    if what == "image":
        return openai.images.edit(image=file, prompt="x", model="x")
    if what == "broken":
        return openai.files.create(file=Broken(), purpose="assistants")
    return anthropic.beta.files.upload(file=file)

class Broken(__import__("io").BytesIO):
    def read(self, *args):
        raise OSError("the disk is gone")
"""
PATHS = {
    "file": "POST /v1/files: only chat completions and responses go through the case's model",
    "sound": "POST /v1/audio/transcriptions: only chat completions and responses go through",
    "image": "POST /v1/images/edits: only chat completions and responses go through the case's model",
    "claude": "POST /v1/files: only messages go through the case's model",
}


@pytest.mark.parametrize("body", [SYNC, ASYNC], ids=["sync", "async"])
def test_an_upload_is_an_error_of_the_case_also_where_the_application_catches_it(project: Project, body: str) -> None:
    """It says what was asked for; so is one whose file cannot be read."""
    project.eval(body + UPLOAD, [{"id": each, "input": each} for each in (*PATHS, "broken")])
    project.run("evals").assert_outcomes(errors=5)
    found = {row["sample_id"]: row for row in project.rows("SELECT sample_id, error_kind, error FROM cases")}
    assert {row["error_kind"] for row in found.values()} == {"code"}
    assert all(told in found[id_]["error"] for id_, told in PATHS.items())
    assert "the disk is gone" in found["broken"]["error"]
    assert project.server.ledger == []
