"""The peer in the benchmark input: PyTorch's DataLoader with two workers.

input_torch.py FORMAT FILE...    prints what input_troupe prints, of the same work

The datasets are written as its users write them: what cannot be read in place is read in __init__,
as torchvision's are, and __getitem__ makes a tensor of one sample. To add all numbers up is part
of the work of both.
"""

import gzip
import sys
import time

import numpy
import torch
from torch.utils.data import DataLoader, Dataset


def read_idx(path):
    with gzip.open(path) as file:
        magic = file.read(4)
        extents = [int.from_bytes(file.read(4), "big") for _ in range(magic[3])]
        return numpy.frombuffer(file.read(), numpy.uint8).reshape(extents)


class Arrays(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = torch.from_numpy(numpy.array(self.images[index])).float()
        return image.mul_(1 / 127.5).sub_(1), int(self.labels[index])


def opened(form, files):
    if form == "idx":
        return Arrays(*map(read_idx, files))
    if form == "npy":
        return Arrays(*(numpy.load(each, mmap_mode="r") for each in files))
    table = numpy.loadtxt(files[0], delimiter=",", skiprows=1, dtype=numpy.float32)
    return Arrays(table[:, 1:], table[:, 0])


def bring(samples):
    total = 0.0
    for images, labels in DataLoader(samples, batch_size=64, shuffle=True, num_workers=2):
        total += float(images.sum()) + float(labels.sum())
    return total


def main():
    torch.set_num_threads(1)
    begun = time.monotonic()
    samples = opened(sys.argv[1], sys.argv[2:])
    total = bring(samples)
    opened_and_read = time.monotonic() - begun
    begun = time.monotonic()
    bring(samples)
    read = time.monotonic() - begun
    print(f"{len(samples) / opened_and_read:.6g} {len(samples) / read:.6g} {total:.6g}")


if __name__ == "__main__":
    main()
