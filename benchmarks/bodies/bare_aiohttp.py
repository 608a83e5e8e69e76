"""The least that anybody can write: asyncio, aiohttp and a semaphore."""

import asyncio
import json
import os
from pathlib import Path

import aiohttp

URL = os.environ["BENCH_URL"] + "/chat/completions"


async def main() -> None:
    """Ask for every row, compare, print the mean."""
    rows = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
    limit = asyncio.Semaphore(int(os.environ["BENCH_CONNECTIONS"]))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def score(row: dict[str, str]) -> bool:
            body = {"model": "echo", "messages": [{"role": "user", "content": row["input"]}]}
            async with limit, session.post(URL, json=body) as response:
                answer = await response.json()
            return answer["choices"][0]["message"]["content"] == row["target"]

        scores = await asyncio.gather(*(score(row) for row in rows))
    print("mean", sum(scores) / len(scores))


asyncio.run(main())
