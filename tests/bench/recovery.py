"""How soon the loss of a process is noticed and made good, and that no healthy one is suspected."""

import json
import os
import signal
import sys
import time

from rows import below_target, show, tell
from troupe_cluster import BINARIES, Cluster, wait_until

NODES, GANG = 3, 2
ROUNDS = 5  # of each loss
MASTER_KILLS = 5
LOAD_S = 60
WORKER = BINARIES / "fashion_mnist_worker"


def lose_node(take_away):
    """A gang of two on two of three nodes; `take_away(cluster, node)` ends one of the two."""
    with Cluster(NODES, 1) as cluster:
        job = cluster.start_gang(GANG, "hold")
        node = cluster.ask("job", job)["tasks"][0]["node"]
        began = time.monotonic()
        take_away(cluster, node)
        wait_until(
            lambda: (j := cluster.ask("job", job))
            and (j["state"] != "running" or j["attempt"] > 1),
            "the loss is recorded",
        )
        noticed = time.monotonic()
        return noticed - began, cluster.wait_for_attempt(2, GANG) - began


def has_checkpoint(folder):
    """A complete one, of one rank or of two."""
    names = {each.name for each in folder.glob("*.ckpt")}
    return any(
        "shard" not in name or name.replace("shard-0000", "shard-0001") in names - {name}
        for name in names
    )


def train_on(take_away, **keys):
    """Seconds from `take_away(cluster, job)` to the first checkpoint of the next attempt.

    A worker writes one each 25th step: up to 25 of them, and the writing, are part of what is
    measured. When the master knows of a step is not: nodes tell it once in a second.
    """
    with Cluster(2, 1) as cluster:
        command = [WORKER, "--epochs", "50", "--checkpoint-every", "25"]
        file = cluster.job_file("train", command, 2, **keys)
        number = json.loads(cluster.troupe("submit", file, "--json"))["job"]
        saved = cluster.directory / "jobs" / str(number) / "checkpoints"
        wait_until(lambda: has_checkpoint(saved / "attempt-0001"), "it trains")
        job = cluster.ask("job", number)
        began = time.monotonic()
        take_away(cluster, job)
        wait_until(
            lambda: has_checkpoint(saved / "attempt-0002"), "it trains on from its checkpoint"
        )
        return time.monotonic() - began


def lose_machine(cluster, job):
    cluster.kill_machine(job["tasks"][1]["node"])


def kill_worker(cluster, _):
    named = cluster.processes_with(str(WORKER))  # its executor's command line names it too
    worker = next(each for each in named if os.readlink(f"/proc/{each}/exe") == str(WORKER))
    os.kill(worker, signal.SIGKILL)


def kill_master():
    """Task starts and attempts beyond the first, after the master died several times."""
    with Cluster(NODES, 1) as cluster:
        job = cluster.start_gang(GANG, "hold")
        for _ in range(MASTER_KILLS):
            before = cluster.ask("status")["pid"]
            os.kill(before, signal.SIGKILL)
            wait_until(
                lambda: (now := cluster.ask("status")) and now["pid"] != before,
                "another master serves",
            )
            wait_until(lambda: len(cluster.alive_nodes()) == NODES, "the nodes are back")
            wait_until(lambda: cluster.ask("job", job)["state"] == "running", "the job runs")
        return len(cluster.stamps()) - GANG + cluster.ask("job", job)["attempt"] - 1


def full_load():
    """Suspicions while every node is full of tasks that spin, two or more to each core.

    A node that is suspected loses its tasks, and the gang starts again: no suspicion between two
    questions is missed.
    """
    each = -(-2 * os.cpu_count() // NODES)
    with Cluster(NODES, each) as cluster:
        job = cluster.start_gang(NODES * each, "spin")
        absent, end = 0, time.monotonic() + LOAD_S
        while time.monotonic() < end:
            absent += NODES - len(cluster.alive_nodes())
            time.sleep(0.5)
        return absent + cluster.ask("job", job)["attempt"] - 1


def main():
    kills = [lose_node(Cluster.kill_machine) for _ in range(ROUNDS)]
    freezes = [lose_node(Cluster.freeze) for _ in range(ROUNDS)]
    detect = tell("node killed, noticed", [each[0] for each in kills], "s")
    again = tell("node killed, gang runs again", [each[1] for each in kills], "s")
    frozen = tell("node frozen, noticed", [each[0] for each in freezes], "s")
    tell("node frozen, gang runs again", [each[1] for each in freezes], "s")
    shrunk = tell(
        "node of an elastic gang killed, it trains",
        [train_on(lose_machine, instances_min=1) for _ in range(ROUNDS)],
        "s",
    )
    resumed = tell(
        "worker killed, it trains", [train_on(kill_worker) for _ in range(ROUNDS)], "s"
    )
    restarts = kill_master()
    print(f"{MASTER_KILLS} masters killed, {restarts} task restarts", file=sys.stderr)
    suspicions = full_load()
    print(f"{LOAD_S} s of full load, {suspicions} false suspicions", file=sys.stderr)
    show(
        [
            below_target("node_kill_to_detect_s", "s", detect, 2),
            below_target("node_kill_to_gang_running_s", "s", again, 5),
            below_target("node_freeze_to_detect_s", "s", frozen, 2),
            below_target("shrink_to_step_s", "s", shrunk, 3),
            below_target("restart_from_checkpoint_s", "s", resumed, 5),
            below_target("master_kill_task_restarts", "1", restarts, 0),
            below_target("false_suspicions_60s_full_load", "1", suspicions, 0),
        ]
    )


if __name__ == "__main__":
    main()
