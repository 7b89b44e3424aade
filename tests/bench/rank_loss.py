"""How soon a synchronous training goes on when one of its two ranks is killed."""

import json
import os
import random
import signal
import time

from rows import below_target, show, tell
from troupe_cluster import BINARIES, Cluster, wait_until

ROUNDS = 9
WORKER = BINARIES / "fashion_mnist_worker"
SETTLED_S = 1.0  # a moment of training at random in so many seconds


def text_of(file):
    return file.read_text() if file.exists() else ""


def worker_of(cluster, index):
    """The process of that rank; its executor's command line names the program too."""
    for each in cluster.processes_with(str(WORKER)):
        try:
            with open(f"/proc/{each}/environ", "rb") as environment:
                mine = f"TROUPE_TASK_INDEX={index}".encode() in environment.read().split(b"\0")
            if mine and os.readlink(f"/proc/{each}/exe") == str(WORKER):
                return each
        except OSError:
            continue
    raise RuntimeError(f"no process of worker:{index}")


def kill_one(lost):
    """Seconds from the death of a rank to the first steps that the other one has made alone.

    The survivor prints a line after each fourth step: four steps are part of what is measured.
    """
    with Cluster(2, 1) as cluster:
        command = [WORKER, "--epochs", "50", "--report-every", "1"]
        file = cluster.job_file("train", command, 2, instances_min=1, on_failure="regroup")
        number = json.loads(cluster.troupe("submit", file, "--json"))["job"]
        logs = cluster.directory / "jobs" / str(number) / "1"
        wait_until(lambda: "epoch" in text_of(logs / "worker-0.log"), "it trains")
        time.sleep(random.uniform(0, SETTLED_S))
        survivor = logs / f"worker-{1 - lost}.log"
        process = worker_of(cluster, lost)
        began = time.monotonic()
        os.kill(process, signal.SIGKILL)
        while True:
            said = text_of(survivor)
            alone = said.find("generation 1: rank 0 of 1")
            if alone >= 0 and "epoch" in said[alone:]:
                return time.monotonic() - began
            if time.monotonic() - began > 30:
                raise RuntimeError("it does not train on:\n" + said[-2000:])
            time.sleep(0.001)


def main():
    other = tell("the other rank killed", [kill_one(1) for _ in range(ROUNDS)], "s")
    first = tell("the first rank killed", [kill_one(0) for _ in range(ROUNDS)], "s")
    show([below_target("kill_to_next_step_s", "s", max(other, first), 1)])


if __name__ == "__main__":
    main()
