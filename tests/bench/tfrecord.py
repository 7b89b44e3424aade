"""Writes TFRecord files of tf.train.Example records, without TensorFlow.

A record is its length, its data, and a checksum of either. The data is a message of protocol
buffers: a map of features, each with a list of values, here of one string of bytes or one integer.
"""

import struct

BYTES_LIST, INT64_LIST = 1, 3


def crc_table():
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


TABLE = list(crc_table())


def masked_crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def varint(value):
    out = []
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number, data):
    """Of a message: one that holds bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def feature(name, kind, values):
    return field(1, field(1, name) + field(2, field(kind, field(1, values))))


def example(image, label):
    values = (feature(b"image", BYTES_LIST, image), feature(b"label", INT64_LIST, varint(label)))
    return field(1, b"".join(values))


def write(path, samples):
    """`samples`: pairs of an image's bytes and a label."""
    with path.open("wb") as file:
        for sample in samples:
            data = example(*sample)
            length = struct.pack("<Q", len(data))
            file.write(length + masked_crc32c(length) + data + masked_crc32c(data))
