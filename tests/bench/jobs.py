"""How many jobs a second are queued and run, against Slurm's sbatch; and their first acts."""

import contextlib
import subprocess
import sys
import time

import first_acts
from rows import higher_is_better, show, tell
from slurm import Slurm, missing
from troupe_cluster import BINARIES, Cluster, wait_until

NODES, CPUS = 3, 16
JOBS, ROUNDS = 1000, 3
SUBMITTERS = 4  # clients of ours at one time, and sbatch processes

# As Slurm's guide to high throughput says: every job is looked at as soon as something changes, and
# nothing is logged, gathered or kept that can be left out.
SETTINGS = {
    "SchedulerParameters": f"batch_sched_delay=0,sched_interval=1,sched_min_interval=0,"
    f"default_queue_depth={2 * JOBS},bf_interval=1,bf_max_job_test={2 * JOBS}",
    "ProctrackType": "proctrack/pgid",
    "SlurmctldDebug": "error",
    "SlurmdDebug": "error",
    "MaxJobCount": 20 * JOBS,
    "MaxArraySize": 2 * JOBS,
    "MinJobAge": 10,
}


def run(words, **options):
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"benchmark: {words[0]}: {done.stderr.strip()}")
    return done.stdout


def our_rate(cluster):
    words = [BINARIES / "submit_many", cluster.directory, str(JOBS), str(SUBMITTERS)]
    _, ended = run(words).split()
    return JOBS / float(ended)


class Batch:
    """What is asked of Slurm: the program of a job is /bin/true, as of ours."""

    def __init__(self, slurm):
        self.slurm = slurm
        self.options = {"env": slurm.environment, "cwd": slurm.directory}
        self.words = ["sbatch", "--quiet", "--ntasks=1", "--output=/dev/null"]
        (slurm.directory / "job").write_text("#!/bin/true\n")

    def rate(self, submit):
        began = time.monotonic()
        submit()
        wait_until(self.slurm.quiet, "the queue is empty", limit_s=300, every_s=0.05)
        return JOBS / (time.monotonic() - began)

    def submit_each(self):
        numbers = "\n".join(map(str, range(JOBS)))
        each = ["xargs", f"--max-procs={SUBMITTERS}", "-I{}", *self.words, "--comment={}", "job"]
        run(each, input=numbers, **self.options)

    def submit_array(self):
        run([*self.words, f"--array=1-{JOBS}", "job"], **self.options)


def main():
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(Cluster(NODES, CPUS))
        batch, version = None, missing()
        if version:
            print(f"benchmark: Slurm is {version}", file=sys.stderr)
        else:
            slurm = stack.enter_context(Slurm(NODES, CPUS, SETTINGS))
            batch, version = Batch(slurm), slurm.version()
            for name, value in SETTINGS.items():
                print(f"slurm.conf: {name}={value}", file=sys.stderr)
        ours, each, array = [], [], []
        for _ in range(ROUNDS):
            ours.append(our_rate(cluster))
            if batch:
                each.append(batch.rate(batch.submit_each))
                array.append(batch.rate(batch.submit_array))
        rate = tell("jobs, one by one", ours, "jobs/s")
        peer = tell("sbatch, one by one", each, "jobs/s") if batch else None
        if batch:
            tell("sbatch, one array", array, "jobs/s")
        rows = [higher_is_better("job_rate", "jobs/s", rate, peer, "sbatch", version)]
    show(rows + first_acts.rows())


if __name__ == "__main__":
    main()
