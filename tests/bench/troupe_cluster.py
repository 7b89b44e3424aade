"""A cluster of real processes in a directory of its own, for benchmarks that time and kill them."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

BINARIES = pathlib.Path(__file__).resolve().parents[2] / "build/release/bin"
TROUPE = BINARIES / "troupe"  # what launcher/troupe becomes
PROBE = BINARIES / "task_probe"


def wait_until(holds, what, limit_s=60, every_s=0.005):
    """Polls until `holds()` is true, and returns what it returned."""
    end = time.monotonic() + limit_s
    while not (got := holds()):
        if time.monotonic() > end:
            raise SystemExit(f"benchmark: {what}: not within {limit_s} s")
        time.sleep(every_s)
    return got


class Cluster:
    """`with Cluster(3, 1) as cluster:` three nodes that declare one cpu each."""

    def __init__(self, nodes, cpus, *options):
        self.nodes, self.cpus, self.options = nodes, cpus, options

    def __enter__(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="troupe-bench-"))
        self.directory = self.scratch / "c"
        self.stamp_file = self.scratch / "stamps"
        try:
            self.troupe("up", "--nodes", self.nodes, "--cpus", self.cpus, *self.options)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes_with(str(self.directory)):
            self._signal(process, signal.SIGCONT)  # one that is stopped ends at no other signal
        subprocess.run(self.command("down"), capture_output=True, check=False)
        for process in self.processes_with(str(self.directory)):
            self._signal(process, signal.SIGKILL)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def command(self, *words):
        return [str(each) for each in (TROUPE, "--dir", self.directory, *words)]

    def troupe(self, *words):
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"benchmark: troupe {words[0]}: {done.stderr.strip()}")
        return done.stdout

    def ask(self, *words):
        """The JSON that a command prints; None while no master answers."""
        done = subprocess.run(
            self.command(*words, "--json"), capture_output=True, text=True, check=False
        )
        return json.loads(done.stdout) if done.returncode == 0 else None

    def job_file(self, name, command, instances, **keys):
        """JSON is YAML: no writer of YAML is needed. `keys`: more of the task type."""
        worker = {"instances": instances, "cpus": 1, "command": [str(each) for each in command]}
        worker.update(keys)
        path = self.scratch / f"{name}.yaml"
        path.write_text(json.dumps({"name": name, "attempts": 100, "tasks": {"worker": worker}}))
        return path

    def start_gang(self, instances, then):
        """Submits probes and waits until all of them run; returns the job's number."""
        file = self.job_file("probe", [PROBE, self.stamp_file, then], instances)
        job = json.loads(self.troupe("submit", file, "--json"))["job"]
        self.wait_for_attempt(1, instances)
        wait_until(lambda: self.ask("job", job)["state"] == "running", "the job runs")
        return job

    def stamps(self):
        """Each start of a probe so far: (monotonic seconds, attempt)."""
        if not self.stamp_file.exists():
            return []
        lines = [line.split() for line in self.stamp_file.read_text().splitlines()]
        return [(int(line[0]) / 1e9, line[1]) for line in lines if len(line) == 4]

    def wait_for_attempt(self, attempt, instances):
        """When the last of the attempt's probes started, in monotonic seconds."""
        found = wait_until(
            lambda: (s := [at for at, which in self.stamps() if which == str(attempt)])
            and len(s) == instances
            and s,
            f"attempt {attempt} runs",
        )
        return max(found)

    def alive_nodes(self):
        return {each["name"] for each in self.ask("nodes") or [] if each["alive"]}

    def quiet(self):
        return (status := self.ask("status")) and status["jobs_active"] == 0

    def node_processes(self, node):
        """The supervisor of a node, then its agent."""
        supervisor = int((self.directory / "run" / f"{node}.pid").read_text())
        return [supervisor, _children(supervisor)[0]]

    def kill_machine(self, node):
        """kill -9 of everything that runs on a node, as when its machine dies."""
        doomed = _family(self.node_processes(node)[0])
        for executor in self.processes_with(f"{self.directory}/agent-{node}.sock"):
            doomed += _family(executor)
        for process in doomed:
            self._signal(process, signal.SIGKILL)

    def freeze(self, node):
        for process in self.node_processes(node):
            self._signal(process, signal.SIGSTOP)

    @staticmethod
    def processes_with(word):
        """Those whose command line has `word` in it."""
        found = []
        for each in pathlib.Path("/proc").iterdir():
            if each.name.isdigit() and int(each.name) != os.getpid():
                try:
                    if word.encode() in (each / "cmdline").read_bytes():
                        found.append(int(each.name))
                except OSError:
                    pass  # it has ended
        return found

    @staticmethod
    def _signal(process, number):
        try:
            os.kill(process, number)
        except ProcessLookupError:
            pass


def _children(process):
    return [
        int(child)
        for thread in pathlib.Path(f"/proc/{process}/task").glob("*/children")
        for child in thread.read_text().split()
    ]


def _family(process):
    return [process, *(each for child in _children(process) for each in _family(child))]
