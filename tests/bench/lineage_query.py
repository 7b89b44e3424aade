"""Lineage of depth 10 in stores of different sizes, each compacted."""

import subprocess
import tempfile

from contender import figures, output_of
from lineage_peers import MLMD, version_of_mlmd
from rows import below_target, higher_is_better, lower_is_better, show, tell
from troupe_cluster import BINARIES

ROUNDS = 5
OURS = BINARIES / "lineage_troupe"
SMALL, MIDDLE, LARGE = 10**4, 10**5, 10**6
FLAT = 0.5  # p50 of the small store over that of the large one, at least


def drop_page_cache():
    """Whether it could: it takes root."""
    words = ["sh", "-c", "sync; echo 3 > /proc/sys/vm/drop_caches"]
    return subprocess.run(words, stderr=subprocess.DEVNULL, check=False).returncode == 0


def main():
    mlmd = version_of_mlmd()
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as directory:
        for size in (SMALL, MIDDLE, LARGE):
            output_of([OURS, "load", f"{directory}/{size}", size], timeout_s=1800)
        p50 = {SMALL: [], MIDDLE: [], LARGE: []}
        p99, resident = [], []
        for _ in range(ROUNDS):
            for size, found in p50.items():
                middle, high, _, nodes, memory = figures(
                    [OURS, "query", f"{directory}/{size}", size]
                )
                found.append(middle)
                if size == LARGE:
                    p99.append(high)
                    resident.append(memory)
        tell("nodes of an answer", [nodes], "")
        tell("p99 at 10^6", p99, "us")
        if drop_page_cache():
            cold = figures([OURS, "query", f"{directory}/{LARGE}", LARGE])
            tell("first at 10^6, nothing cached", [cold[2]], "us")
        middle = {size: tell(f"p50 at {size}", found, "us") for size, found in p50.items()}
        memory = tell("resident at 10^6", resident, "MiB")
        peer = None
        if mlmd:
            peer = tell("p50 ML Metadata", figures([*MLMD, "query", directory, MIDDLE]), "us")
    flat = middle[SMALL] / middle[LARGE]
    version = mlmd or "missing: pip install ml-metadata"
    show(
        [
            higher_is_better("flat_1e4_to_1e6", "ratio", flat, FLAT, "target", ""),
            lower_is_better("depth10_1e5_p50", "us", middle[MIDDLE], peer, "ML Metadata", version),
            below_target("store_rss_mib_1e6", "MiB", memory, 512),
        ]
    )


if __name__ == "__main__":
    main()
