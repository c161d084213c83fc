#!/usr/bin/python3
"""instructions.py - how many instructions one event costs in the turn, against the figure that is written down.

In: LINKAGES_BIN with a release build, valgrind, tests/bench/instructions. Out: exit status 0, or 1 with both figures.
Promise: a clock is not asked, so that a loaded machine gives the same answer; a turn that became slower by more than
the margin is an offence, and so is one that became faster: then the better figure is to be written down. The gate is
shown first that it finds either.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BIN = os.environ.get("LINKAGES_BIN", HERE.parent.parent / "build" / "bin")
MARGIN = 0.08
FEW, MANY, FAMILIES, BATCH = 400, 1200, 100, 200


def collected(events):
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
                              os.path.join(BIN, "bench_turn"), str(events), str(FAMILIES), str(BATCH)],
                             capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", ran.stderr).group(1))


def offence(counted, written):
    if counted > written * (1 + MARGIN):
        return "slower"
    if counted < written * (1 - MARGIN):
        return "faster: write it down"
    return None


def main():
    written = int((HERE / "instructions").read_text().split()[0])
    counted = (collected(MANY) - collected(FEW)) // (MANY - FEW)
    assert offence(counted, counted * 0.9) and offence(counted, counted * 1.1) and not offence(counted, counted)
    found = offence(counted, written)
    print(f"instructions per event: {counted}, written down: {written}" + (f": {found}" if found else ""))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
