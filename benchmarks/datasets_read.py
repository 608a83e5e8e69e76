"""What reading a dataset of 10,000 rows of about 1 kB takes, by its kind: each in a process of its own.

Run it: python benchmarks/datasets_read.py [ROWS]
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = ("x.jsonl", "x.parquet", "hf:saved")
READ = """
import random, resource, sys, time
from pathlib import Path
from pytest_llmeval.loaders.datasets import open_dataset

def peak():  # MiB of this process alone; ru_maxrss keeps what the parent had
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024

here = Path.cwd()
began = time.process_time()
if sys.argv[1] != "x.jsonl":
    import pytest_llmeval.loaders.parquet_file
if sys.argv[1].startswith("hf:"):
    import pytest_llmeval.loaders.hub_rows
loaded, imported = peak(), time.process_time() - began
dataset = open_dataset(sys.argv[1], rootdir=here, test_file=here / "t.py")
began = time.process_time()
refs = [ref for ref, _ in dataset.rows()]
read = time.process_time() - began
after = peak()
random.Random(0).shuffle(refs)
began = time.process_time()
for ref in refs:
    dataset.read(ref)
print(imported, read, time.process_time() - began, after, after - loaded)
"""


def main() -> None:
    """Print a table in Markdown."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, "fill", str(count)], cwd=folder, check=True)
        size = (Path(folder) / "x.jsonl").stat().st_size / 2**20
        print(f"{count:,} rows, {size:.0f} MiB of JSONL; one row group of Parquet\n")
        print(
            "| dataset | import, s | all rows, s | each again in random order, s | peak, MiB | of them for rows |\n"
            "|---|---|---|---|---|---|"
        )
        for source in SOURCES:
            command = [sys.executable, "-c", READ, source]
            told = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
            imported, read, again, peak, rows = map(float, told.split())
            print(f"| `{source}` | {imported:.2f} | {read:.2f} | {again:.2f} | {peak:.0f} | {rows:.0f} |")


def fill(count: int) -> None:
    """Write the same rows as each kind of dataset."""
    import datasets
    import pyarrow as pa  # type: ignore[import-untyped]  # has no stubs
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # as above

    rows = [
        {
            "id": f"row-{number}",
            "input": f"Question {number}: " + os.urandom(450).hex(),
            "target": {"n": number, "text": f"answer {number}"},
            "slice": [f"s{number % 10}"],
            "metadata": {"document": number // 5},
        }
        for number in range(count)
    ]
    Path("x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), "x.parquet")
    datasets.disable_progress_bars()
    datasets.Dataset.from_list(rows).save_to_disk("saved")


if __name__ == "__main__":
    if sys.argv[1:2] == ["fill"]:
        fill(int(sys.argv[2]))
    else:
        main()
