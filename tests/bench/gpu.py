"""On GPUs: a group over NCCL against NCCL itself, and a step of training against PyTorch's.

Both are built alone (docs/gpu.md), in build/gpu. Without a device each says so.
"""

import pathlib
import sys

from contender import figures, output_of, version_of_torch
from rows import lower_is_better, show, tell

ROUNDS = 3
BINARIES = pathlib.Path(__file__).resolve().parents[2] / "build/gpu/bin"
PEER = pathlib.Path(__file__).with_name("train_step_torch.py")


def says_skipped(metric, why):
    print(f"{metric}: skipped: {why}", file=sys.stderr)


def wrapper_rows():
    program = BINARIES / "nccl_allreduce"
    if not program.exists():
        return says_skipped("nccl_wrapper", "NCCL is not installed")
    first, *rounds = output_of([program]).splitlines()
    if not rounds:
        return says_skipped("nccl_wrapper", "no device")
    count, what = first.split(" ", 1)
    if count == "1":
        print("nccl_wrapper: one GPU: no interconnect was measured", file=sys.stderr)
    ours, theirs, waited = zip(*(map(float, each.split()) for each in rounds))
    ours, theirs = tell("nccl_wrapper ours", ours, "s"), tell("nccl_wrapper NCCL", theirs, "s")
    tell("nccl_wrapper NCCL, each waited for", waited, "s")
    return [lower_is_better("nccl_wrapper", "s", ours, theirs, "NCCL", f"{count} x {what}")]


def has_device():
    words = [sys.executable, "-c", "import torch; print(int(torch.cuda.is_available()))"]
    return version_of_torch() and output_of(words).strip() == "1"


def step_rows():
    if not pathlib.Path("/dev/nvidiactl").exists():
        return says_skipped("cnn_gpu", "no device")
    peer = has_device()
    seen = {}
    for _ in range(ROUNDS):
        for name in ("cnn", "mlp"):
            ours = figures([BINARIES / "train_step_troupe", name, 1, "gpu"], OMP_NUM_THREADS="1")
            seen.setdefault((name, "ours"), []).append(ours[0])
            if peer:
                theirs = figures([sys.executable, PEER, name, 1, "gpu"])
                seen.setdefault((name, "PyTorch"), []).append(theirs[0])
    middle = {key: tell(" ".join(key), each, "ms") for key, each in seen.items()}
    version = version_of_torch() if peer else "not installed, or without CUDA"
    rows = []
    for name in ("cnn", "mlp"):
        ours, theirs = middle[(name, "ours")], middle.get((name, "PyTorch"))
        rows.append(lower_is_better(f"{name}_gpu", "ms", ours, theirs, "PyTorch", version))
    return rows


def main():
    show([*(wrapper_rows() or []), *(step_rows() or [])])


if __name__ == "__main__":
    main()
