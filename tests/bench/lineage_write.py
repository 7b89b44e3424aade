"""Publishes of an execution with three inputs and two outputs, durable before the answer."""

import tempfile

from contender import figures, output_of
from lineage_peers import MLMD, SQLITE, version_of_mlmd
from rows import higher_is_better, show, tell
from troupe_cluster import BINARIES

ROUNDS = 3
SECONDS = 4
OURS = [BINARIES / "lineage_troupe"]


def measure(words, writers):
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as directory:
        return figures([*words, "write", directory, SECONDS, writers])


def main():
    mlmd = version_of_mlmd()
    sqlite = output_of([*SQLITE, "version"]).strip() if SQLITE[0].exists() else None
    rows = []
    for writers in (1, 16):
        name = f"publish_{writers}_writer" + ("s" if writers > 1 else "")
        seen = {"troupe": [], "sqlite": [], "mlmd": []}
        syncs = []
        for _ in range(ROUNDS):
            rate, share = measure(OURS, writers)
            seen["troupe"].append(rate)
            syncs.append(share)
            if sqlite:
                seen["sqlite"] += measure(SQLITE, writers)
            if mlmd:
                seen["mlmd"] += measure(MLMD, writers)
        tell(f"{name} syncs per publish", syncs, "")
        middle = {
            each: tell(f"{name} {each}", found, "publishes/s") if found else None
            for each, found in seen.items()
        }
        rows.append(
            higher_is_better(
                name,
                "publishes/s",
                middle["troupe"],
                middle["mlmd"],
                "ML Metadata on SQLite",
                mlmd or "missing: pip install ml-metadata",
            )
        )
        rows.append(
            higher_is_better(
                name,
                "publishes/s",
                middle["troupe"],
                middle["sqlite"],
                "SQLite (WAL, synchronous=FULL)",
                sqlite or "missing: launcher/setup --peers",
            )
        )
    show(rows)


if __name__ == "__main__":
    main()
