"""Edits and `kill -9`: two robots edit one layer while the service is killed again and again.

Each robot notes what was acknowledged. In the end every such edit must be in the log once, both
robots and the database must hold the same layer, and a conflict must have been told.

Bar: over 200 kills no acknowledged edit is lost, and both robots agree.

    python benchmarks/bench_review_killed.py [--kills 200] [--folder /dev/shm/killed]
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

TEST = Path(__file__).parents[1] / "tests" / "web" / "test_layers_killed.py"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--folder", help="a folder to be made; in memory where disks are busy")
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(TEST)]
    if arguments.folder:
        command += ["--basetemp", arguments.folder]
    # the slow test itself, which takes this number; its last line has the figures
    named = {**os.environ, "GATEWAY_KILLS": str(arguments.kills)}
    return subprocess.run(command, env=named, check=False, cwd=TEST.parents[2]).returncode


if __name__ == "__main__":
    sys.exit(main())
