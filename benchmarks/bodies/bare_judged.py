"""The least that anybody can write: asyncio, aiohttp, a semaphore, one call for the answer and one that judges it."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import aiohttp

URL = os.environ["BENCH_URL"] + "/chat/completions"
RUBRIC = Path(os.environ["BENCH_RUBRIC"]).read_text()
LEVELS = {
    "correctness": ["wrong", "partly", "right"],
    "completeness": ["missing", "partial", "complete"],
    "format": ["bad", "good"],
}
BEST = {name: levels[-1] for name, levels in LEVELS.items()}


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of an object with these keys."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMA = closed(
    {
        name: closed({"reason": {"type": "string"}, "verdict": {"type": "string", "enum": levels}})
        for name, levels in LEVELS.items()
    }
)
FORM = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": SCHEMA}}


async def main() -> None:
    """Ask for every row, let judge, print the mean."""
    rows = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
    limit = asyncio.Semaphore(int(os.environ["BENCH_CONNECTIONS"]))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(body: dict[str, Any]) -> str:
            async with limit, session.post(URL, json=body) as response:
                answer = await response.json()
            text: str = answer["choices"][0]["message"]["content"]
            return text

        async def score(row: dict[str, str]) -> bool:
            answer = await ask({"model": "echo", "messages": [{"role": "user", "content": row["input"]}]})
            shown = f"QUESTION\n{row['input']}\n\nREFERENCE\n{row['target']}\n\nANSWER\n{answer}"
            messages = [{"role": "system", "content": RUBRIC}, {"role": "user", "content": shown}]
            verdict = json.loads(await ask({"model": "judge", "messages": messages, "response_format": FORM}))
            return {name: verdict[name]["verdict"] for name in LEVELS} == BEST

        scores = await asyncio.gather(*(score(row) for row in rows))
    print("mean", sum(scores) / len(scores))


asyncio.run(main())
