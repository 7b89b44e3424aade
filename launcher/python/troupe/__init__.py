"""Troupe's client for Python: jobs and the record of a running cluster."""

import importlib
import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))
_beside = os.path.join(_here, "..", "..", "..", "build", "generated", "python")
_schema = os.path.join(os.environ.get("TROUPE_PYTHON_SCHEMA", _beside), "troupe")


def _load_schema():
    """Makes the generated message modules part of this package.

    flatc 2.0.8 writes code that names this package without importing it, so it is handed over.
    """
    if not os.path.isdir(_schema):
        raise ImportError(f"no generated messages in '{_schema}'; build Troupe, or set "
                          "TROUPE_PYTHON_SCHEMA to the folder generated/python of a build")
    __path__.append(_schema)
    for file in sorted(os.listdir(_schema)):
        name, suffix = os.path.splitext(file)
        if suffix == ".py" and name != "__init__":
            importlib.import_module(f"troupe.{name}").troupe = sys.modules["troupe"]


_load_schema()

from troupe.client import Client, TroupeError, make_message  # noqa: E402
from troupe.records import Records  # noqa: E402

__all__ = ["Client", "Records", "TroupeError", "make_message"]
