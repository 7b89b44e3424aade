"""How long a step of training takes with PyTorch; prints milliseconds, the median over rounds.

train_step_torch.py NAME RANKS [gpu]     NAME: mlp, cnn or lstm; each rank has one thread
"""

import os
import statistics
import subprocess
import sys
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

BATCH, SIDE, CLASSES = 64, 28, 10
ROUNDS, STEPS, WARM_UP = 5, 25, 20


class LastStep(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.LSTM(SIDE, 128, batch_first=True)
        self.classes = nn.Linear(128, CLASSES)

    def forward(self, rows):
        return self.classes(self.cells(rows)[0][:, -1])


def network(name):
    if name == "mlp":
        return nn.Sequential(
            *(nn.Linear(SIDE * SIDE, 512), nn.ReLU()),
            *(nn.Linear(512, 256), nn.ReLU()),
            nn.Linear(256, CLASSES),
        )
    if name == "cnn":
        return nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU()),
            nn.Linear(64, CLASSES),
        )
    return LastStep()


def optimiser(name, model):
    if name == "lstm":
        return torch.optim.Adam(model.parameters(), lr=1e-3)
    decay = 5e-4 if name == "cnn" else 0
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=decay)


def run_rank(name, ranks, device):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    torch.set_default_device(device)
    torch.backends.cudnn.allow_tf32 = False  # as ours: f32 is f32
    model = network(name)
    if ranks > 1:
        dist.init_process_group("gloo")  # RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT
        model = DistributedDataParallel(model)
    steps = optimiser(name, model)
    shape = {"mlp": (BATCH, SIDE * SIDE), "cnn": (BATCH, 1, SIDE, SIDE)}
    images = torch.rand(shape.get(name, (BATCH, SIDE, SIDE)))
    labels = torch.arange(BATCH) % CLASSES
    loss_of = nn.CrossEntropyLoss()

    def step():
        steps.zero_grad(set_to_none=True)
        loss = loss_of(model(images), labels)
        loss.backward()
        steps.step()
        return loss.item()

    for _ in range(WARM_UP):
        step()
    seen = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(STEPS):
            step()
        seen.append((time.perf_counter() - began) / STEPS * 1e3)
    if int(os.environ.get("RANK", "0")) == 0:
        print(f"{statistics.median(seen):.5f}")
    if ranks > 1:
        dist.destroy_process_group()


def main():
    name, ranks = sys.argv[1], int(sys.argv[2])
    if ranks == 1 or "RANK" in os.environ:
        return run_rank(name, ranks, "cuda" if sys.argv[3:] == ["gpu"] else "cpu")
    around = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517", "WORLD_SIZE": str(ranks)}
    started = [
        subprocess.Popen([sys.executable, *sys.argv], env=os.environ | around | {"RANK": str(rank)})
        for rank in range(ranks)
    ]
    return max(each.wait(timeout=300) for each in started)


if __name__ == "__main__":
    sys.exit(main())
