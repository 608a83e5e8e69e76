"""The same with OpenAI's client; BENCH_AIOHTTP=1 puts aiohttp under it."""

import asyncio
import json
import os
from pathlib import Path

import openai


async def main() -> None:
    """Ask for every row, compare, print the mean."""
    rows = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
    limit = asyncio.Semaphore(int(os.environ["BENCH_CONNECTIONS"]))
    http_client = openai.DefaultAioHttpClient() if os.environ.get("BENCH_AIOHTTP") else None
    async with openai.AsyncOpenAI(base_url=os.environ["BENCH_URL"], http_client=http_client) as client:

        async def score(row: dict[str, str]) -> bool:
            async with limit:
                answer = await client.chat.completions.create(
                    model="echo", messages=[{"role": "user", "content": row["input"]}]
                )
            return answer.choices[0].message.content == row["target"]

        scores = await asyncio.gather(*(score(row) for row in rows))
    print("mean", sum(scores) / len(scores))


asyncio.run(main())
