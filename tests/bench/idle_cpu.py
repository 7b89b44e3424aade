"""Adds the row idle_cpu_percent, of a node without work, to the rows on standard input."""

import json
import os
import sys
import time

from rows import below_target, show
from troupe_cluster import Cluster

SPAN_S = 20
TARGET_PERCENT = 0.5


def cpu_seconds(processes):
    ticks = 0
    for each in processes:
        with open(f"/proc/{each}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:13]))  # utime, stime
    return ticks / os.sysconf("SC_CLK_TCK")


def main():
    rows = json.load(sys.stdin)
    with Cluster(1, 1) as cluster:
        node = cluster.node_processes("node-1")
        time.sleep(1)  # what its start still does is no idling
        before, began = cpu_seconds(node), time.monotonic()
        time.sleep(SPAN_S)
        used = (cpu_seconds(node) - before) / (time.monotonic() - began) * 100
    show([*rows, below_target("idle_cpu_percent", "%", used, TARGET_PERCENT)])


if __name__ == "__main__":
    main()
