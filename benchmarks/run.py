"""All measurements, as `make bench` runs them: the pass, the tick, the scrape, each in processes of its own.

In: nothing, or `--full`. Out: tables, and what this machine is. Quick sizes take a few minutes; `--full`
goes to 10,000,000 completions and wants an hour and some 40 GB of disk. Compare ratios, not seconds: they
depend on the machine, and on what else it does. It exits 1 when a measurement failed, never because one was
slow.

Use: python benchmarks/run.py [--full] [--folder DIR]
"""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUICK = {"pass": ("100000:4", "1000000:2"), "tick": ("100000", "1000000")}
FULL = {"pass": ("100000:4", "1000000:4", "10000000:1"), "tick": ("100000", "1000000", "10000000")}


def main(arguments: Sequence[str]) -> int:
    """Runs one measurement after the other, and returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="up to 10,000,000 completions")
    parser.add_argument("--folder", help="where the files go (default: a temporary folder)")
    given = parser.parse_args(arguments)
    sizes = FULL if given.full else QUICK
    where = ["--folder", given.folder] if given.folder else []
    print(machine(), end="\n\n", flush=True)
    failed = [
        measure("One pass over everything", "pass", *flags("--calls", sizes["pass"]), *where),
        measure("A tick of the daemon", "tick", *flags("--history", sizes["tick"]), *where),
        measure("A scrape", "scrape", "10000"),
    ]
    return int(any(failed))


def flags(name: str, values: Sequence[str]) -> list[str]:
    """The same option once for each value."""
    return [word for value in values for word in (name, value)]


def measure(title: str, module: str, *arguments: str) -> int:
    """One measurement under its title; its exit code."""
    print(f"{title}\n{'=' * len(title)}", flush=True)
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    print(flush=True)
    return code


def machine() -> str:
    """Cores, how busy they are, memory and versions."""
    import duckdb
    import pandas as pd

    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}), {memory_gb:.0f} GiB, Python "
        f"{platform.python_version()}, DuckDB {duckdb.__version__}, pandas {pd.__version__}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
