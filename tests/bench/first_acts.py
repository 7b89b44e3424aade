"""How soon a job does something: its program against Ray, its first step against torchrun.

`first_act(FILE, start)` is how long it took from `start()` to the last line of FILE.
"""

import contextlib
import json
import pathlib
import shutil
import subprocess
import sys
import time

from ray_cluster import Ray, missing
from rows import lower_is_better, tell
from troupe_cluster import PROBE, Cluster, wait_until

STARTS, STEPS = 15, 7  # rounds of each side
RANKS = 2
SCRIPT = pathlib.Path(__file__).with_name("ddp_step.py")


def first_act(file, lines, start):
    """Milliseconds from `start()` until `lines` lines are in the file, by what they say."""
    file.unlink(missing_ok=True)
    began = time.monotonic_ns()
    start()
    text = wait_until(
        lambda: file.exists() and file.read_text().count("\n") == lines and file.read_text(),
        "the program says when",
    )
    return (max(int(line.split()[0]) for line in text.splitlines()) - began) / 1e6


def submit_to_start():
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(Cluster(1, 16))
        stamps = cluster.stamp_file
        job = cluster.job_file("one", [PROBE, stamps], 1)
        ray, version = None, missing()
        if version:
            print(f"benchmark: Ray is {version}", file=sys.stderr)
        else:
            ray = stack.enter_context(Ray(16))
            version = ray.version()
        ours, peers = [], []
        for _ in range(STARTS):
            wait_until(cluster.quiet, "the last round is over", every_s=0.02)
            ours.append(first_act(stamps, 1, lambda: cluster.troupe("submit", job)))
            if ray:
                peers.append(first_act(stamps, 1, lambda: ray.submit(PROBE, stamps)))
        start = tell("submit to start", ours, "ms")
        peer = tell("ray job submit to start", peers, "ms") if ray else None
        return lower_is_better("submit_to_start_p50", "ms", start, peer, "ray", version)


def ddp_first_step():
    """None without torch: there is no script to run then."""
    torchrun = shutil.which("torchrun")
    if not torchrun:
        print("benchmark: torchrun is not installed (pip install torch)", file=sys.stderr)
        return None
    python = pathlib.Path(torchrun).with_name("python3")
    version = subprocess.run(
        [python, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True,
        check=True,
    ).stdout.strip()
    with Cluster(1, RANKS) as cluster:
        stamps = cluster.stamp_file
        job = cluster.job_file("ddp", [python, SCRIPT, stamps], RANKS, env={"OMP_NUM_THREADS": 1})
        job.write_text(json.dumps({**json.loads(job.read_text()), "framework": "pytorch"}))
        peer = [torchrun, "--standalone", f"--nproc_per_node={RANKS}", str(SCRIPT), str(stamps)]

        def run_peer():
            subprocess.run(peer, capture_output=True, check=True)

        ours, peers = [], []
        for _ in range(STEPS):
            ours.append(first_act(stamps, RANKS, lambda: cluster.troupe("submit", job)))
            wait_until(cluster.quiet, "the job has ended", every_s=0.02)
            peers.append(first_act(stamps, RANKS, run_peer))
    return lower_is_better(
        "ddp_first_step", "ms", tell("job to first step", ours, "ms"),
        tell("torchrun to first step", peers, "ms"), "torchrun", version,
    )


def rows():
    return [row for row in (submit_to_start(), ddp_first_step()) if row]
