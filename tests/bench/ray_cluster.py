"""Ray on this machine, in a directory of its own: the peer of `submit_to_start_p50`."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile


def missing():
    """Why there is no Ray; empty: there is."""
    return "" if shutil.which("ray") else "not installed (pip install 'ray[default]', on the PATH)"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ray:
    """A head node alone, which runs jobs itself: nothing is farther away than ours."""

    def __init__(self, cpus):
        self.cpus = cpus
        self.environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        self.dashboard = free_port()
        try:
            self.run(
                "start", "--head", f"--num-cpus={self.cpus}", f"--port={free_port()}",
                "--dashboard-host=127.0.0.1", f"--dashboard-port={self.dashboard}",
                f"--temp-dir={self.directory}",
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run(["ray", "stop"], env=self.environment, capture_output=True, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, *words):
        done = subprocess.run(
            ["ray", *map(str, words)], env=self.environment, capture_output=True, text=True,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"benchmark: ray {words[0]}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def submit(self, *command):
        """Returns when the job has ended."""
        self.run("job", "submit", f"--address=http://127.0.0.1:{self.dashboard}", "--", *command)

    def version(self):
        return self.run("--version").split()[-1]
