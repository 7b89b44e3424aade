"""From the command to the user's process, and the wall time of a gang, against Slurm's srun."""

import contextlib
import subprocess
import sys
import time

from rows import lower_is_better, show, tell
from slurm import Slurm, missing
from troupe_cluster import PROBE, Cluster, wait_until

NODES, CPUS = 3, 32
STARTS, GANGS = 100, 9  # rounds of each side
GANG = 64


def run(command, environment=None):
    """The monotonic seconds when the command began and when it ended."""
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"benchmark: {' '.join(command)}: {done.stderr.strip()}")
    return began, time.monotonic()


class Side:
    """One of the two systems: its commands, and what its probes wrote."""

    def __init__(self, system, start, gang, environment=None, stamps=None):
        self.system, self.start, self.gang = system, start, gang
        self.environment, self.stamps = environment, stamps
        self.start_ms, self.gang_ms = [], []

    def time_start(self):
        wait_until(self.system.quiet, "the last round is over", every_s=0.02)
        self.stamps.unlink(missing_ok=True)
        began, _ = run(self.start, self.environment)
        text = wait_until(
            lambda: self.stamps.exists() and self.stamps.read_text().endswith("\n")
            and self.stamps.read_text(), "the program started")
        self.start_ms.append((int(text.split()[0]) / 1e9 - began) * 1e3)

    def time_gang(self):
        wait_until(self.system.quiet, "the last round is over", every_s=0.02)
        began, ended = run(self.gang, self.environment)
        self.gang_ms.append((ended - began) * 1e3)


def our_side(cluster):
    one = cluster.job_file("one", [PROBE, cluster.stamp_file], 1)
    many = cluster.job_file("many", ["/bin/true"], GANG)
    return Side(
        cluster,
        cluster.command("submit", one),
        cluster.command("submit", many, "--wait"),
        stamps=cluster.stamp_file,
    )


def slurm_side(slurm):
    stamps = slurm.directory / "stamps"
    return Side(
        slurm,
        ["srun", "-n", "1", str(PROBE), str(stamps)],
        ["srun", "-n", str(GANG), "/bin/true"],
        slurm.environment,
        stamps,
    )


def main():
    with contextlib.ExitStack() as stack:
        ours = our_side(stack.enter_context(Cluster(NODES, CPUS)))
        sides, version = [ours], missing()
        if version:
            print(f"benchmark: Slurm is {version}", file=sys.stderr)
        else:
            slurm = stack.enter_context(Slurm(NODES, CPUS))
            sides.append(slurm_side(slurm))
            version = slurm.version()
        for measure, rounds in ((Side.time_start, STARTS), (Side.time_gang, GANGS)):
            for _ in range(rounds):
                for side in sides:
                    measure(side)
        starts = [tell("submit to start", side.start_ms, "ms") for side in sides] + [None]
        gangs = [tell(f"gang of {GANG}", side.gang_ms, "ms") for side in sides] + [None]
        show(
            [
                lower_is_better("submit_to_start_p50", "ms", *starts[:2], "srun", version),
                lower_is_better("gang64_wall", "ms", *gangs[:2], "srun", version),
            ]
        )


if __name__ == "__main__":
    main()
