"""Directories that are added, added again, and pushed; and many small bundles."""

import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

from contender import figures, output_of
from rows import below_target, lower_is_better, show, tell
from troupe_cluster import BINARIES, TROUPE

FILES, FILE_BYTES, IN_A_DIRECTORY = 100_000, 10_000, 1000
BUNDLES, FILES_OF_EACH = 1000, 10
ROUNDS = int(os.environ.get("TROUPE_BENCH_ROUNDS", "3"))
DISDAT = [sys.executable, pathlib.Path(__file__).with_name("bundles_disdat.py")]


def make_files(directory, count, in_a_directory, bytes_of_each):
    """Half of a byte is random: what compresses finds something to do."""
    chance = random.Random(1)
    for number in range(count):
        path = directory / str(number // in_a_directory)
        path.mkdir(parents=True, exist_ok=True)
        (path / f"{number}.txt").write_text(chance.randbytes(bytes_of_each // 2).hex())


def run(words, directory, **environment):
    """Seconds."""
    begin = time.perf_counter()
    done = subprocess.run(
        [str(each) for each in words],
        cwd=directory,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    if done.returncode != 0:
        raise SystemExit(f"benchmark: {words[0]}: {done.stderr.strip()}")
    return time.perf_counter() - begin


def bytes_below(directory):
    return sum(each.stat().st_size for each in directory.rglob("*") if each.is_file())


def add_troupe(data, at):
    troupe = [TROUPE, "--dir", at / "troupe"]
    run([*troupe, "context", "create", "bench", "--remote", at / "remote"], at)
    add = [*troupe, "bundle", "--context", "bench", "add", "files", data]
    return run(add, at), run(add, at)


def push_troupe(data, at):
    """The share of the bytes that is moved when one file of a hundred is another."""
    troupe = [TROUPE, "--dir", at / "troupe", "bundle", "--context", "bench"]
    run([*troupe, "push"], at)
    before = bytes_below(at / "remote")
    chance = random.Random(2)
    for number in range(0, FILES, 100):
        text = chance.randbytes(FILE_BYTES // 2).hex()
        (data / str(number // IN_A_DIRECTORY) / f"{number}.txt").write_text(text)
    run([*troupe, "add", "files", data], at)
    run([*troupe, "push"], at)
    return (bytes_below(at / "remote") - before) / before


def add_git(data, at):
    git = ["git", "--git-dir", at / "git", "--work-tree", data]
    who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0"]
    run([*git, "init", "--quiet"], at)
    return run([*git, "add", "."], data) + run([*git, *who, "commit", "--quiet", "-m", "x"], data)


def add_dvc(data, at):
    shutil.copytree(data, at / "dvc" / "data")
    run(["dvc", "init", "--no-scm", "--quiet"], at / "dvc", DVC_NO_ANALYTICS="1")
    return run(["dvc", "add", "--quiet", "data"], at / "dvc", DVC_NO_ANALYTICS="1")


def add_restic(data, at):
    password = {"RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": str(at / "cache")}
    run(["restic", "init", "--repo", at / "restic"], at, **password)
    return run(["restic", "backup", "--quiet", "--repo", at / "restic", data], at, **password)


def add_borg(data, at):
    home = {"BORG_BASE_DIR": str(at / "home")}
    run(["borg", "init", "--encryption", "none", at / "borg"], at, **home)
    return run(["borg", "create", f"{at / 'borg'}::first", data], at, **home)


PEERS = {
    "dvc": (add_dvc, ["dvc", "--version"], "pip install dvc"),
    "git add and commit": (add_git, ["git", "--version"], "launcher/setup --peers"),
    "restic": (add_restic, ["restic", "version"], "launcher/setup --peers"),
    "borg": (add_borg, ["borg", "--version"], "launcher/setup --peers"),
}


def version_of(words):
    """None where it is not installed."""
    try:
        done = subprocess.run(
            [str(each) for each in words], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 else None


def scratch():
    return tempfile.TemporaryDirectory(prefix="troupe-bench-")


def directories(rows):
    versions = {each: version_of(words) for each, (_, words, _) in PEERS.items()}
    added, again, pushed = [], [], []
    others = {each: [] for each, found in versions.items() if found}
    for _ in range(ROUNDS):
        with scratch() as path:
            data = pathlib.Path(path) / "data"
            make_files(data, FILES, IN_A_DIRECTORY, FILE_BYTES)
            os.sync()
            for each, seen in others.items():
                with scratch() as at:
                    seen.append(PEERS[each][0](data, pathlib.Path(at)))
                os.sync()
            with scratch() as at:
                first, second = add_troupe(data, pathlib.Path(at))
                added.append(first)
                again.append(second)
                pushed.append(push_troupe(data, pathlib.Path(at)))
            os.sync()
    ours = tell("add_files", added, "s")
    for each, (_, _, missing) in PEERS.items():
        middle = tell(f"add_files {each}", others[each], "s") if each in others else None
        version = versions[each] or f"missing: {missing}"
        rows.append(lower_is_better("add_files", "s", ours, middle, each, version))
    rows.append(below_target("readd_unchanged_s", "s", tell("again", again, "s"), 1))
    rows.append(below_target("push_1pct_bytes", "share", tell("push", pushed, ""), 0.02))


def small_bundles(rows):
    version = version_of([*DISDAT, "version"])
    seen = {"troupe": [], "disdat": []}
    for _ in range(ROUNDS):
        with scratch() as path:
            files = pathlib.Path(path) / "files"
            make_files(files, BUNDLES * FILES_OF_EACH, FILES_OF_EACH, FILE_BYTES)
            os.sync()
            words = [BINARIES / "bundles_troupe", f"{path}/store", files, BUNDLES]
            seen["troupe"] += figures(words)
            if version:
                output_of([*DISDAT[:1], "-c", "import disdat.api as x; x.init()"], HOME=path)
                seen["disdat"] += figures([*DISDAT, files, BUNDLES], HOME=path)
    middle = {each: tell(f"bundles {each}", x, "s") if x else None for each, x in seen.items()}
    rows.append(
        lower_is_better(
            "bundles_1000",
            "s",
            middle["troupe"],
            middle["disdat"],
            "Disdat",
            version or "missing: pip install disdat",
        )
    )


def main():
    rows = []
    directories(rows)
    small_bundles(rows)
    show(rows)


if __name__ == "__main__":
    main()
