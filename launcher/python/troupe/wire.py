"""Frames, envelopes and keys: runtime/framing.hpp, troupe.fbs, runtime/keys.hpp."""

import importlib
import os
import stat
import struct

import flatbuffers
from flatbuffers.table import Table

from troupe import envelope as envelope_module
from troupe.payload import payload

MAGIC = 0x31505254
FRAME_SIZE_MAX = 1 << 20
_HEADER = struct.Struct("<II")
_KIND_NAMES = {v: k for k, v in vars(payload).items() if isinstance(v, int)}


class TroupeError(Exception):
    """What went wrong; `code` is a number of errc (runtime/base/error.hpp)."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def pack_frame(content):
    if not 0 < len(content) <= FRAME_SIZE_MAX:
        raise TroupeError(1, f"a message has 1 to {FRAME_SIZE_MAX} bytes, this one has "
                             f"{len(content)}; make it smaller")
    return _HEADER.pack(len(content), MAGIC) + content + bytes(-len(content) % 8)


def unpack_frames(batch):
    frames = []
    at = 0
    while at < len(batch):
        if len(batch) - at < _HEADER.size:
            raise TroupeError(9, "the master sent a batch that is cut off; connect again")
        length, magic = _HEADER.unpack_from(batch, at)
        end = at + _HEADER.size + length
        if magic != MAGIC or not 0 < length <= FRAME_SIZE_MAX or end + -length % 8 > len(batch):
            raise TroupeError(9, "the master sent bytes that are no frame; connect again")
        frames.append(batch[at + _HEADER.size:end])
        at = end + -length % 8
    return frames


def make_message(kind, /, **fields):
    """A message of the schema: make_message("kill_job", job=3)."""
    message = getattr(importlib.import_module(f"troupe.{kind}"), f"{kind}T")()
    for name, value in fields.items():
        if not hasattr(message, name):
            raise TroupeError(1, f"'{kind}' has no field '{name}'; see troupe.fbs")
        setattr(message, name, value)
    return message


def pack_envelope(kind, body, **head):
    message = envelope_module.envelopeT()
    for name, value in head.items():
        setattr(message, name, value)
    message.bodyType = getattr(payload, kind)
    message.body = body
    builder = flatbuffers.Builder(256)
    builder.Finish(message.Pack(builder))
    return bytes(builder.Output())


def unpack_envelope(frame):
    """The envelope, the name of its body's kind, and the body."""
    try:
        head = envelope_module.envelope.GetRootAs(frame, 0)
        kind = _KIND_NAMES.get(head.BodyType(), "")
        table = head.Body()
        if not isinstance(table, Table) or kind in ("", "NONE"):
            raise ValueError("no body")
        module = importlib.import_module(f"troupe.{kind}")
        reader = getattr(module, kind)()
        reader.Init(table.Bytes, table.Pos)
        return head, kind, getattr(module, f"{kind}T").InitFromObj(reader)
    except (struct.error, IndexError, TypeError, ValueError) as e:
        raise TroupeError(9, f"the master sent no valid message ({e}); "
                             "check that both are of the same version") from e


def load_keys(directory, name):
    """(public, secret) of our own key; a file that others can read is refused."""
    path = os.path.join(directory, "keys", f"{name}.secret")
    try:
        with open(path, encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise TroupeError(4, f"the secret key '{path}' can be read by others; make new "
                                     "keys, or run chmod 600 on it if nobody has read it")
            lines = dict(line.split(" ", 1) for line in file.read().splitlines() if " " in line)
    except (OSError, UnicodeError) as e:
        raise TroupeError(2, f"no key '{name}' ({e}); make it, or name another") from e
    keys = (lines.get("public", ""), lines.get("secret", ""))
    if any(len(key) != 40 for key in keys):
        raise TroupeError(9, f"'{path}' holds no key; make the key of that name again")
    return tuple(key.encode() for key in keys)


def load_public_key(directory, name):
    path = os.path.join(directory, "keys", "authorized", f"{name}.public")
    try:
        with open(path, "rb") as file:
            key = file.read(4096).split(b"\n")[0].strip()
    except OSError as e:
        raise TroupeError(2, f"no public key of '{name}' ({e}); copy it from the cluster") from e
    if len(key) != 40:
        raise TroupeError(9, f"'{path}' holds no key; copy it from the cluster again")
    return key
