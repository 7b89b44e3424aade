"""The peer in the benchmark input: PyTorch's DataLoader with two workers.

input_torch.py FORMAT FILE...    prints what input_troupe prints, of the same work

The datasets are written as its users write them: what cannot be read in place is read in __init__,
as torchvision's are, and __getitem__ makes a tensor of one sample. To add all numbers up is part
of the work of both. PyTorch reads no TFRecord files: they are parsed in Python, as without
TensorFlow, and their checksums are not checked, which takes Python longer than all the rest.
"""

import gzip
import struct
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


def sample_of(image, label):
    return torch.from_numpy(image).float().mul_(1 / 127.5).sub_(1), int(label)


class Arrays(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return sample_of(numpy.array(self.images[index]), self.labels[index])


def varint(data, at):
    value = shift = 0
    while data[at] > 127:
        value |= (data[at] & 127) << shift
        at += 1
        shift += 7
    return value | data[at] << shift, at + 1


def message(data):
    """The number and the bytes of each field of a message whose fields hold bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        size, at = varint(data, at)
        yield key >> 3, data[at : at + size]
        at += size


def features(example):
    """The values of a tf.train.Example by name: bytes, or the encoded integers."""
    ((_, entries),) = message(example)
    for _, entry in message(entries):
        both = dict(message(entry))
        (values,) = dict(message(both[2])).values()
        yield both[1], dict(message(values))[1]


class Records(Dataset):
    def __init__(self, path):
        self.bytes = numpy.memmap(path, numpy.uint8, "r")
        self.places = []
        at = 0
        while at < len(self.bytes):
            (length,) = struct.unpack_from("<Q", self.bytes, at)
            self.places.append((at + 12, length))  # behind the length and its checksum
            at += length + 16

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):
        at, length = self.places[index]
        found = dict(features(self.bytes.data[at : at + length].tobytes()))
        image = numpy.frombuffer(found[b"image"], numpy.uint8).reshape(28, 28)
        return sample_of(image.copy(), varint(found[b"label"], 0)[0])


def opened(form, files):
    if form == "idx":
        return Arrays(*map(read_idx, files))
    if form == "npy":
        return Arrays(*(numpy.load(each, mmap_mode="r") for each in files))
    if form == "npz":
        archive = numpy.load(files[0])
        return Arrays(archive["image"], archive["label"])
    if form == "tfrecord":
        return Records(files[0])
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
