"""A master with 10,000 nodes and 100,000 tasks. The nodes are simulated, 2,500 to a process.

TROUPE_SCALE=NODES:JOBS makes it smaller; a job is a gang of 100 tasks.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

from rows import below_target, show, tell
from troupe_cluster import BINARIES, Cluster, wait_until

NODES, JOBS = map(int, os.environ.get("TROUPE_SCALE", "10000:1000").split(":"))
PROCESSES, TASKS, HEARTBEAT_S = 4, 100, 5
METRICS = "127.0.0.1:17799"
IDLE_S, SUBMISSIONS, ROUNDS = 30, 1000, 3
LIMIT_S = 600


class Nodes:
    """Four processes, below the master in rank: in truth they have processors of their own.

    Each node has room for its share of the tasks, and one more.
    """

    def __init__(self, cluster):
        share = -(-NODES // PROCESSES)
        room = -(-JOBS * TASKS // NODES) + 1
        self.processes = [
            subprocess.Popen(
                ["chrt", "--idle", "0", BINARIES / "scale_nodes", cluster.directory]
                + [str(each) for each in (first, share, room, 1000 * HEARTBEAT_S)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for first in range(0, NODES, share)
        ]

    def count(self):
        """Links to the master, tasks that were started so far, tasks that run."""
        for each in self.processes:
            each.stdin.write("\n")
            each.stdin.flush()
        answers = [map(int, each.stdout.readline().split()) for each in self.processes]
        return [sum(each) for each in zip(*answers)]

    def wait(self, what, holds):
        began = time.monotonic()
        wait_until(lambda: holds(*self.count()), what, limit_s=LIMIT_S, every_s=0.2)
        print(f"{what}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)

    def end(self):
        for each in self.processes:
            each.stdin.close()
            each.wait()


class Master:
    def __init__(self, cluster):
        self.supervisor = int((cluster.directory / "run" / "master.pid").read_text())

    def pid(self):
        children = f"/proc/{self.supervisor}/task/{self.supervisor}/children"
        return int(wait_until(lambda: open(children).read().split(), "a master")[0])

    def cpu_s(self):
        fields = open(f"/proc/{self.pid()}/stat").read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        pages = open(f"/proc/{self.pid()}/statm").read().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu_share(self):
        before, began = self.cpu_s(), time.monotonic()
        time.sleep(IDLE_S)
        return (self.cpu_s() - before) / (time.monotonic() - began)


def metric(name):
    with urllib.request.urlopen(f"http://{METRICS}/metrics", timeout=60) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def jobs(cluster, *words):
    """What scale_jobs prints."""
    command = [str(each) for each in (BINARIES / "scale_jobs", cluster.directory, *words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    if done.returncode != 0:
        raise SystemExit(f"benchmark: {done.stderr.strip()}")
    return [float(each) for each in done.stdout.split()]


def restart(cluster, master):
    """Seconds from kill -9 of the master until it knows every task as running again."""
    began = time.monotonic()
    os.kill(master.pid(), signal.SIGKILL)
    tasks, restarts = jobs(cluster, "wait", 1, JOBS)
    if tasks != JOBS * TASKS or restarts != 0:
        raise SystemExit(f"benchmark: {tasks} tasks are left, {restarts} jobs started again")
    return time.monotonic() - began


def measure(cluster, nodes):
    master = Master(cluster)
    nodes.wait(f"{NODES} nodes have joined", lambda links, *_: links == NODES)
    wait_until(lambda: metric("troupe_node_up") == NODES, "they are registered", limit_s=LIMIT_S)
    idle_memory = master.memory()
    idle = tell("idle", [master.cpu_share() for _ in range(ROUNDS)], "cores")
    bytes_before, memory_before = metric("troupe_log_bytes_total"), master.memory()
    began = time.monotonic()
    jobs(cluster, "submit", JOBS, TASKS, "hold", 0)
    print(f"{JOBS} gangs submitted: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
    nodes.wait(f"{JOBS * TASKS} tasks run", lambda _links, _started, run: run == JOBS * TASKS)
    jobs(cluster, "wait", 1, JOBS)
    print(f"the master knows it: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
    log_bytes = (metric("troupe_log_bytes_total") - bytes_before) / (JOBS * TASKS)
    per_task = (master.memory() - memory_before) / (JOBS * TASKS)
    print(f"memory: {idle_memory / NODES:.0f} B for a node, {per_task:.0f} B for a task")
    tell("under load", [master.cpu_share() for _ in range(ROUNDS)], "cores")
    slowest = []
    for _ in range(ROUNDS):
        each = sorted(jobs(cluster, "submit", SUBMISSIONS, 1, "true", 10))
        tell("submission", each, "ms")
        slowest.append(each[int(0.99 * len(each))])
    started = nodes.count()[1]
    again = tell("master restarted", [restart(cluster, master) for _ in range(ROUNDS)], "s")
    if nodes.count()[1] != started:
        raise SystemExit(f"benchmark: {nodes.count()[1] - started} tasks were started again")
    return [
        below_target("heartbeat_cpu_share", "cores", idle, 0.05),
        below_target("submit_p99_ms", "ms", statistics.median(slowest), 20),
        below_target("master_restart_s", "s", again, 10),
        below_target("log_bytes_per_task", "B", log_bytes, log_bytes),
    ]


def main():
    with Cluster(0, 1, "--heartbeat", f"{HEARTBEAT_S} s", "--metrics", METRICS) as cluster:
        nodes = Nodes(cluster)
        try:
            rows = measure(cluster, nodes)
        finally:
            nodes.end()
    show(rows)


if __name__ == "__main__":
    main()
