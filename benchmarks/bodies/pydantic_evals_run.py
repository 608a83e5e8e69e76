"""pydantic-evals: a dataset and a task with OpenAI's client."""

import asyncio
import json
import os
from pathlib import Path

import openai
from pydantic_evals import Case, Dataset
from pydantic_evals.evaluators import EqualsExpected


async def main() -> None:
    """Evaluate and print the mean."""
    rows = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
    cases = [Case(name=row["id"], inputs=row["input"], expected_output=row["target"]) for row in rows]
    dataset = Dataset(name="echo", cases=cases, evaluators=[EqualsExpected()])
    async with openai.AsyncOpenAI(base_url=os.environ["BENCH_URL"]) as client:

        async def ask(text: str) -> str | None:
            answer = await client.chat.completions.create(model="echo", messages=[{"role": "user", "content": text}])
            return answer.choices[0].message.content

        report = await dataset.evaluate(ask, max_concurrency=int(os.environ["BENCH_CONNECTIONS"]), progress=False)
    print("mean", report.averages().assertions)


asyncio.run(main())
