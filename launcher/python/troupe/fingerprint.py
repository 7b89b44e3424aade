"""What finds a result again: the same number as fingerprint_of (storage/metadata/reuse.hpp)."""

import hashlib
import struct

from troupe.wire import TroupeError


def _count(n):
    return struct.pack("<I", n)


def _text(x):
    if not isinstance(x, str):  # 0.1 has many spellings, and each has its own fingerprint
        raise TroupeError(1, f"a fingerprint is made of texts, not of {x!r}; write it as one")
    raw = x.encode()
    return _count(len(raw)) + raw


def fingerprint_of(code, config=None, inputs=None):
    """64 digits that are the same for whoever gives the same facts, in C++ too: the code's version
    or hash, a dict of its configuration, and for each input's name the list of its hashes."""
    config, inputs = config or {}, inputs or {}
    out = _text(code) + _count(len(config))
    for name, value in sorted(config.items()):  # by code points: the order of their bytes
        out += _text(name) + _text(value)
    out += _count(len(inputs))
    for name, hashes in sorted(inputs.items()):
        if isinstance(hashes, str):
            raise TroupeError(1, f"the input '{name}' is one text; give the list of its hashes")
        out += _text(name) + _count(len(hashes)) + b"".join(_text(each) for each in hashes)
    return hashlib.sha256(out).hexdigest()
