"""Trains a tiny network on two or more CPU processes with DistributedDataParallel.

A plain env:// script: it runs under Troupe and under torchrun alike. It goes on from the newest
complete checkpoint of its directory: --checkpoints, or what TROUPE_CHECKPOINTS names. At SIGTERM
it takes one more, with the step that it is in, and exits with 143.
"""
import argparse
import os
import pathlib
import signal
import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def arguments():
    out = argparse.ArgumentParser(description=__doc__)
    out.add_argument("--steps", type=int, default=60)
    out.add_argument("--checkpoint-every", type=int, default=10)
    out.add_argument("--checkpoints", default=os.environ.get("TROUPE_CHECKPOINTS", "checkpoints"))
    out.add_argument("--crash-at", type=int, metavar="STEP",
                     help="the last rank kills itself there, in the first attempt only")
    out.add_argument("--step-seconds", type=float, default=0, metavar="SECONDS",
                     help="wait so long in each step: as if the network were a larger one")
    return out.parse_args()


def newest(directory):
    """The newest checkpoint; each is renamed into place, so that it is whole or not there."""
    steps = [int(x.stem.removeprefix("step-")) for x in directory.glob("step-*.pt")]
    return directory / f"step-{max(steps)}.pt" if steps else None


def save(directory, step, model, optimizer):
    unfinished = directory / "unfinished"
    torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()},
               unfinished)
    with open(unfinished, "rb") as file:
        os.fsync(file.fileno())
    unfinished.rename(directory / f"step-{step}.pt")


def batch(step, rank):
    random = torch.Generator().manual_seed(1000 * step + rank)
    x = torch.randn(32, 8, generator=random)
    return x, x.sum(dim=1, keepdim=True).sin()


vote = torch.zeros(1)  # of the whole process: PyTorch 1.13 may hang where it goes before its group


def any_rank(mine):
    """Whether it is so on any rank: all get one answer, so that all leave after one step."""
    vote.fill_(mine)
    dist.all_reduce(vote, op=dist.ReduceOp.MAX)
    return bool(vote)


def main():
    given = arguments()
    dist.init_process_group("gloo")  # RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    directory = pathlib.Path(given.checkpoints)
    directory.mkdir(parents=True, exist_ok=True)
    first = 0
    if found := newest(directory):
        state = torch.load(found)
        net.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    print(f"rank {rank} of {world} starts at step {first}", flush=True)

    terminated = []
    signal.signal(signal.SIGTERM, lambda *_: terminated.append(True))
    model = DistributedDataParallel(net)
    crashes = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0" and rank == world - 1
    for step in range(first, given.steps):
        if crashes and step == given.crash_at:
            os.kill(os.getpid(), signal.SIGKILL)
        x, y = batch(step, rank)
        loss = torch.nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()  # averages the gradients of all ranks
        optimizer.step()
        time.sleep(given.step_seconds)
        done = step + 1
        leaves = any_rank(bool(terminated))
        if rank == 0 and (leaves or done % given.checkpoint_every == 0):
            save(directory, done, net, optimizer)
            print(f"step {done}: loss {loss.item():.4f}", flush=True)
        if leaves:
            raise SystemExit(128 + signal.SIGTERM)
    if rank == 0 and "TROUPE_OUTPUT" in os.environ:
        torch.save(net.state_dict(), pathlib.Path(os.environ["TROUPE_OUTPUT"]) / "model.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
