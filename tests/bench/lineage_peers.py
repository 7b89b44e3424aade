"""The peers of lineage_write and lineage_query."""

import pathlib
import subprocess
import sys

from troupe_cluster import BINARIES

SQLITE = [BINARIES / "lineage_sqlite"]
MLMD = [sys.executable, pathlib.Path(__file__).with_name("lineage_mlmd.py")]


def version_of_mlmd():
    """None where it is not installed."""
    words = [sys.executable, "-c", "import ml_metadata; print(ml_metadata.__version__)"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
