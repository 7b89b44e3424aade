"""A small Slurm on this machine, in a directory of its own, without systemd: the peer.

slurm.py COMMAND...  runs a command that finds such a Slurm, of 3 nodes with 2 cpus each
slurm.py --missing   says why there can be none, and ends with 0; ends with 1 where there can
"""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

from troupe_cluster import wait_until

CONFIGURATION = """\
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={port}
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={dir}/munge/sock
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool.%n
SlurmctldPidFile={dir}/ctld.pid
SlurmdPidFile={dir}/slurmd.%n.pid
SlurmctldLogFile={dir}/ctld.log
SlurmdLogFile={dir}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SlurmdParameters=config_overrides
PartitionName=all Nodes=n[1-{nodes}] Default=YES State=UP
"""


def missing():
    """Why there can be no Slurm here; None where there can."""
    if not all(map(shutil.which, ("munged", "slurmctld", "slurmd", "srun", "squeue", "sinfo"))):
        return "missing: ./launcher/setup --tests installs it"
    if os.geteuid() != 0:
        return "missing: its daemons need root"
    return None


class Slurm:
    """`with Slurm(3, 32) as slurm:` three nodes that declare 32 cpus each.

    `settings` of slurm.conf stand in the place of those above, or are added.
    """

    def __init__(self, nodes, cpus, settings=None):
        self.nodes, self.cpus, self.settings = nodes, cpus, settings or {}

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="troupe-bench-slurm-"))
        self.environment = {**os.environ, "SLURM_CONF": str(self.directory / "slurm.conf")}
        self.daemons = []
        try:
            self._write_configuration()
            self._start_munge()
            self._start("slurmctld", "-D")
            for i in range(1, self.nodes + 1):
                self._start("slurmd", "-D", "-N", f"n{i}")
            wait_until(self._idle, "Slurm's nodes are idle", every_s=0.1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(5)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def version(self):
        return self._output("srun", "--version").removeprefix("slurm-wlm").strip()

    def quiet(self):
        return self._output("squeue", "-h") == ""

    def _write_configuration(self):
        host = socket.gethostname().split(".")[0]
        port, *others = _free_ports(self.nodes + 1)
        text = CONFIGURATION.format(host=host, port=port, dir=self.directory, nodes=self.nodes)
        for name, value in self.settings.items():
            kept = [line for line in text.splitlines() if not line.startswith(f"{name}=")]
            text = "\n".join([f"{name}={value}", *kept, ""])
        for i, each in enumerate(others, 1):
            text += f"NodeName=n{i} NodeHostname={host} NodeAddr=127.0.0.1 Port={each} "
            text += f"CPUs={self.cpus} RealMemory=8000\n"
        self.directory.chmod(0o755)  # munge has a user of its own
        (self.directory / "state").mkdir()
        (self.directory / "slurm.conf").write_text(text)

    def _start_munge(self):
        home = self.directory / "munge"
        home.mkdir()
        key = home / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        for each in (home, key):
            shutil.chown(each, "munge", "munge")
        home.chmod(0o711)
        files = [f"--{name}-file={home / name}" for name in ("key", "pid", "log", "seed")]
        user = {"user": "munge", "group": "munge", "extra_groups": []}
        self._start("munged", "-F", "-S", home / "sock", *files, **user)
        wait_until((home / "sock").exists, "munged listens")

    def _start(self, *words, **options):
        with open(self.directory / f"{words[0]}.out", "ab") as log:
            self.daemons.append(
                subprocess.Popen(
                    [str(each) for each in words],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    **options,
                )
            )

    def _idle(self):
        states = self._output("sinfo", "-h", "-N", "-o", "%t").split()
        return states == ["idle"] * self.nodes

    def _output(self, *words):
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def main(words):
    if words == ["--missing"]:
        print(missing() or "")
        return 0 if missing() else 1
    with Slurm(3, 2) as slurm:
        return subprocess.run(words, env=slurm.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
