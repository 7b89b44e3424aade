"""A step of training with one rank and with two, against PyTorch and its DDP over Gloo.

Each rank has one thread and a batch of 64. Ours reads its samples in a pipeline; PyTorch's are one
tensor that is there already.
"""

import pathlib
import sys

from contender import figures, version_of_torch
from rows import higher_is_better, lower_is_better, show, tell
from troupe_cluster import BINARIES

ROUNDS = 3
NAMES = ["mlp", "cnn", "lstm"]
OURS = BINARIES / "train_step_troupe"
PEER = pathlib.Path(__file__).with_name("train_step_torch.py")


def run(*words):
    """Milliseconds of a step, and, of ours, of the allreduce alone."""
    return figures(words, OMP_NUM_THREADS="1")


def main():
    version = version_of_torch()
    seen = {}

    def keep(value, *key):
        seen.setdefault(key, []).append(value)

    for _ in range(ROUNDS):
        for name in NAMES:
            for ranks in (1, 2):
                step, exchange = run(OURS, name, ranks)
                keep(step, name, ranks, "ours")
                keep(exchange, name, ranks, "allreduce")
                if version:
                    keep(run(sys.executable, PEER, name, ranks)[0], name, ranks, "PyTorch")
    middle = {key: tell(" ".join(map(str, key)), each, "ms") for key, each in seen.items()}
    missing = "not installed: pip install torch"
    rows = []
    for ranks, peer in ((1, "PyTorch"), (2, "PyTorch DDP, Gloo")):
        for name in NAMES:
            theirs = middle.get((name, ranks, "PyTorch"))
            ours = middle[(name, ranks, "ours")]
            rows.append(
                lower_is_better(f"{name}_{ranks}", "ms", ours, theirs, peer, version or missing)
            )
    for name in NAMES:
        one, two = middle[(name, 1, "ours")], middle[(name, 2, "ours")]
        metric = "scaling_2" if name == "cnn" else f"scaling_2_{name}"
        rows.append(higher_is_better(metric, "1", 2 * one / two, 1.85, "target", ""))
    for name in NAMES:
        one, two = middle[(name, 1, "ours")], middle[(name, 2, "ours")]
        longer = max(one, middle[(name, 2, "allreduce")])
        metric = "overlap" if name == "cnn" else f"overlap_{name}"
        rows.append(lower_is_better(metric, "1", two / longer, 1.1, "target", ""))
    show(rows)


if __name__ == "__main__":
    main()
