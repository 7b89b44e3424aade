"""The rows that a benchmark prints. A ratio above 1 means that ours is better."""

import json
import statistics
import sys


def lower_is_better(metric, unit, ours, peer, peer_name, peer_version):
    """`peer` is None where the peer is missing; `peer_version` then says so."""
    ratio = peer / ours if peer is not None else None
    return _row(metric, unit, ours, peer, peer_name, ratio, peer_version)


def higher_is_better(metric, unit, ours, peer, peer_name, peer_version):
    """As lower_is_better."""
    ratio = ours / peer if peer is not None else None
    return _row(metric, unit, ours, peer, peer_name, ratio, peer_version)


def below_target(metric, unit, ours, target):
    """Met when `ours` <= `target`; for a target of 0 the ratio is 1 / (1 + ours): 1 when met."""
    ratio = target / ours if target else 1 / (1 + ours)
    return _row(metric, unit, ours, target, "target", ratio, "")


def _row(metric, unit, ours, peer, peer_name, ratio, peer_version):
    return {
        "metric": metric,
        "unit": unit,
        "ours": _short(ours),
        "peer": _short(peer),
        "peer_name": peer_name,
        "ratio": _short(ratio),
        "peer_version": peer_version,
    }


def _short(value):
    return value if value is None else float(f"{value:.4g}")


def tell(what, samples, unit):
    """Shows the spread of a figure on standard error; returns its median."""
    middle = statistics.median(samples)
    print(
        f"{what:32} median {middle:.4g} {unit}, min {min(samples):.4g}, max {max(samples):.4g},"
        f" {len(samples)} rounds",
        file=sys.stderr,
        flush=True,
    )
    return middle


def show(rows):
    print("[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]")
