"""How many samples a second the input pipeline brings, against PyTorch's DataLoader."""

import gzip
import math
import pathlib
import random
import sys
import tempfile
import zipfile

import tfrecord
from contender import figures, version_of_torch
from rows import higher_is_better, show, tell
from troupe_cluster import BINARIES

ROUNDS = 3
DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
OURS = [BINARIES / "input_troupe"]
PEER = [sys.executable, pathlib.Path(__file__).with_name("input_torch.py")]
TABLE_ROWS, TABLE_COLUMNS = 20000, 64
RECORDS = 20000


def read_idx(path):
    """The extents of an IDX file of bytes, and the bytes."""
    with gzip.open(path) as file:
        magic = file.read(4)
        extents = tuple(int.from_bytes(file.read(4), "big") for _ in range(magic[3]))
        return extents, file.read()


def write_array(extents, elements, path):
    """A .npy file."""
    header = repr({"descr": "|u1", "fortran_order": False, "shape": extents})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    length = len(header).to_bytes(2, "little")
    path.write_bytes(b"\x93NUMPY\x01\x00" + length + header.encode() + elements)


def write_archive(arrays, path):
    """A .npz file, as numpy.savez_compressed writes it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, array in zip(("image", "label"), arrays):
            file.write(array, f"{name}.npy")


def write_table(path):
    numbers = random.Random(1)
    with path.open("w", encoding="ascii") as file:
        file.write(",".join(["label", *(f"x{i}" for i in range(TABLE_COLUMNS))]) + "\n")
        for _ in range(TABLE_ROWS):
            values = (f"{255 * numbers.random():.4f}" for _ in range(TABLE_COLUMNS))
            file.write(f"{numbers.randrange(10)}," + ",".join(values) + "\n")


def cases(directory):
    """The files, by the format that both know."""
    packed = [DATA / f"train-{each}-ubyte.gz" for each in ("images-idx3", "labels-idx1")]
    arrays = [directory / "images.npy", directory / "labels.npy"]
    whole = [read_idx(each) for each in packed]
    for each, path in zip(whole, arrays):
        write_array(*each, path)
    archive, table, records = (directory / f"data.{form}" for form in ("npz", "csv", "tfrecord"))
    write_archive(arrays, archive)
    write_table(table)
    ((_, *extents), images), (_, labels) = whole
    size = math.prod(extents)
    tfrecord.write(
        records, ((images[i * size : (i + 1) * size], labels[i]) for i in range(RECORDS))
    )
    alone = {"npz": [archive], "csv": [table], "tfrecord": [records]}
    return {"idx": packed, "npy": arrays} | alone


def main():
    if not DATA.exists():
        raise SystemExit(f"benchmark: {DATA} is missing: install dataset-fashion-mnist")
    version = version_of_torch("numpy")
    seen = {}
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as directory:
        files = cases(pathlib.Path(directory))
        for _ in range(ROUNDS):
            for form, paths in files.items():
                # With opening, without it, and the sum of all numbers.
                both = {"ours": figures([*OURS, form, *paths])}
                if version:
                    both["peer"] = figures([*PEER, form, *paths])
                    sums = [each[2] for each in both.values()]
                    if not math.isclose(*sums, rel_tol=1e-4):
                        raise SystemExit(f"benchmark: {form}: other numbers were read: {sums}")
                for whose, (opened, read, _) in both.items():
                    seen.setdefault((form, whose, "opened"), []).append(opened)
                    seen.setdefault((form, whose, "read"), []).append(read)
    middle = {key: tell(", ".join(key), samples, "samples/s") for key, samples in seen.items()}
    missing = "not installed: pip install torch numpy"

    def row(metric, form, kind):
        ours, peer = (middle.get((form, whose, kind)) for whose in ("ours", "peer"))
        name = "PyTorch DataLoader"
        if form == "tfrecord":
            name += ", parsing in Python, no checksums"
        return higher_is_better(metric, "samples/s", ours, peer, name, version or missing)

    rows = [row("samples_rate", "idx", "opened"), row("samples_rate_open", "idx", "read")]
    for form in ("npy", "csv", "npz", "tfrecord"):
        rows += [row(f"{form}_rate", form, "opened"), row(f"{form}_rate_open", form, "read")]
    show(rows)


if __name__ == "__main__":
    main()
