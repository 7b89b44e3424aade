"""Allreduce between processes of this machine, against Gloo and Open MPI."""

import os
import subprocess
import tempfile

from contender import output_of
from rows import higher_is_better, lower_is_better, show, tell
from troupe_cluster import BINARIES

ROUNDS = 5
SMALL, LARGE = ["1KiB", "4KiB"], ["16MiB", "64MiB"]
MEMORY_TARGET = 0.7
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",  # it warns otherwise, where it may not
}


def times(words, **environment):
    """What a contender prints: seconds an operation, by case; empty where it is not installed."""
    if not os.access(words[0] if words[0] != "mpirun" else BINARIES / "allreduce_mpi", os.X_OK):
        return {}
    lines = output_of(words, **environment).splitlines()
    return {case: float(s) for case, s in (line.split() for line in lines)}


def ours(backend, ranks, cases):
    return times([BINARIES / "allreduce_troupe", backend, ranks, *cases])


def gloo(ranks, cases):
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as store:
        return times([BINARIES / "allreduce_gloo", ranks, store, *cases])


def open_mpi(ranks, cases):
    words = ["mpirun", "-n", ranks, "--oversubscribe", BINARIES / "allreduce_mpi", *cases]
    return times(words, **OPEN_MPI)


def version_of(package):
    words = ["dpkg-query", "-W", "-f", "${Version}", package]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def alternated(contenders):
    """The median of each contender's cases over rounds in which they take turns."""
    seen = {}
    for _ in range(ROUNDS):
        for name, measure in contenders.items():
            for case, seconds in measure().items():
                seen.setdefault((name, case), []).append(1e6 * seconds)
    return {key: tell(f"{key[0]}, {key[1]}", samples, "us") for key, samples in seen.items()}


def main():
    two = alternated(
        {
            "shm": lambda: ours("shm", 2, SMALL + LARGE),
            "tcp": lambda: ours("tcp", 2, ["64MiB"]),
            "gloo": lambda: gloo(2, SMALL + LARGE),
            "mpi": lambda: open_mpi(2, SMALL + LARGE),
        }
    )
    four = alternated(
        {"shm": lambda: ours("shm", 4, ["16MiB"]), "mpi": lambda: open_mpi(4, ["16MiB"])}
    )
    peers = {
        "gloo": ("Gloo", version_of("libgloo0")),
        "mpi": ("Open MPI", version_of("libopenmpi3")),
    }

    def row(metric, mine, peer, case, of=two):
        name, version = peers[peer]
        theirs = of.get((peer, case))
        missing = "not installed: launcher/setup --peers"
        return lower_is_better(
            metric, "us", of[mine], theirs, name, version if theirs else missing
        )

    rows = []
    for kind, case in (("registered", "16MiB"), ("registered", "64MiB"), ("private", "64MiB")):
        for peer in peers:
            rows.append(row(f"{kind}_{case}", ("shm", f"{kind}_{case}"), peer, case))
    for case in SMALL:
        for peer in peers:
            rows.append(row(f"small_{case}", ("shm", f"private_{case}"), peer, case))
    rows.append(row("ranks4_16MiB", ("shm", "private_16MiB"), "mpi", "16MiB", of=four))
    rows.append(row("tcp_64MiB", ("tcp", "private_64MiB"), "gloo", "64MiB"))
    share = two["shm", "traffic_64MiB"] / two["shm", "registered_64MiB"]
    rows.append(higher_is_better("memory_limit_share", "1", share, MEMORY_TARGET, "target", ""))
    show(rows)


if __name__ == "__main__":
    main()
