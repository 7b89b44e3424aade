"""A plain env:// script of two ranks: one step of DistributedDataParallel, then a line to FILE.

ddp_step.py FILE    appends "<monotonic ns> <rank>" when the step is done
"""

import sys
import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def main():
    dist.init_process_group("gloo")  # RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT
    model = DistributedDataParallel(torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(32, 8)).sum().backward()
    optimizer.step()
    with open(sys.argv[1], "a", encoding="ascii") as file:
        file.write(f"{time.monotonic_ns()} {dist.get_rank()}\n")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
