"""A step of training with one rank and with two, against PyTorch and its DDP over Gloo.

Each rank has one thread and a batch of 64. Ours reads its samples in a pipeline; PyTorch's are one
tensor that is there already. How much of the exchange of gradients is hidden is measured twice:
in shared memory, and over a link of 1 Gbit/s each way (a network namespace of its own, where
this may be made).
"""

import contextlib
import os
import pathlib
import subprocess
import sys

from contender import figures, version_of_torch
from rows import higher_is_better, lower_is_better, show, tell
from troupe_cluster import BINARIES

ROUNDS = 3
NAMES = ["mlp", "cnn", "lstm"]
OURS = BINARIES / "train_step_troupe"
PEER = pathlib.Path(__file__).with_name("train_step_torch.py")
PARTS = ["step", "compute", "exchange"]
LINK = "rate 2gbit burst 512kb latency 50ms"  # both ways of the loopback device share it


def run(*words):
    return figures(words, OMP_NUM_THREADS="1")


def succeeds(*words):
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def slow_link():
    """The words that run a program behind it; None where there can be none."""
    name = f"troupe-bench-{os.getpid()}"
    if not succeeds("ip", "netns", "add", name):
        yield None
        return
    try:
        made = succeeds("ip", "-n", name, "link", "set", "lo", "up") and succeeds(
            "tc", "-n", name, "qdisc", "add", "dev", "lo", "root", "tbf", *LINK.split()
        )
        yield ["ip", "netns", "exec", name] if made else None
    finally:
        succeeds("ip", "netns", "del", name)


def measure(version, link):
    """Medians, in milliseconds, by (name of the network, ranks, what)."""
    seen = {}

    def keep(key, values, parts):
        for part, value in zip(parts, values):
            seen.setdefault((*key, part), []).append(value)

    for _ in range(ROUNDS):
        for name in NAMES:
            for ranks in (1, 2):
                keep((name, ranks), run(OURS, name, ranks), PARTS)
                if version:
                    keep((name, ranks), run(sys.executable, PEER, name, ranks), ["PyTorch"])
            if link:
                over = [f"{each}, link" for each in PARTS]
                keep((name, 2), run(*link, OURS, name, 2, "tcp"), over)
    return {key: tell(" ".join(map(str, key)), each, "ms") for key, each in seen.items()}


def main():
    version = version_of_torch()
    with slow_link() as link:
        middle = measure(version, link)
    missing = "not installed: pip install torch"
    rows = []
    for ranks, peer in ((1, "PyTorch"), (2, "PyTorch DDP, Gloo")):
        for name in NAMES:
            theirs = middle.get((name, ranks, "PyTorch"))
            ours = middle[(name, ranks, "step")]
            rows.append(
                lower_is_better(f"{name}_{ranks}", "ms", ours, theirs, peer, version or missing)
            )

    def row_name(metric, name):
        return metric if name == "cnn" else f"{metric}_{name}"

    for name in NAMES:
        one, two = middle[(name, 1, "step")], middle[(name, 2, "step")]
        rows.append(
            higher_is_better(row_name("scaling_2", name), "1", 2 * one / two, 1.85, "target", "")
        )
    # What the machine gives two ranks that have nothing to do with each other.
    for name in NAMES:
        one, two = middle[(name, 1, "step")], middle[(name, 2, "compute")]
        of_machine, ours = 2 * one / two, 2 * one / middle[(name, 2, "step")]
        metric = row_name("scaling_2_of_possible", name)
        rows.append(higher_is_better(metric, "1", ours, of_machine, "no exchange", ""))
    for where in ("", ", link") if link else ("",):
        for name in NAMES:
            step, compute, exchange = (middle[(name, 2, part + where)] for part in PARTS)
            metric = row_name("overlap_link" if where else "overlap", name)
            rows.append(
                lower_is_better(metric, "1", step / max(compute, exchange), 1.1, "target", "")
            )
    show(rows)


if __name__ == "__main__":
    main()
