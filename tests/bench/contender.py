"""Programs that a benchmark times against each other, and what they print."""

import os
import subprocess
import sys


def output_of(words, timeout_s=300, **environment):
    """Ends the benchmark where the program fails, or takes too long."""
    done = subprocess.run(
        [str(each) for each in words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    if done.returncode != 0:
        raise SystemExit(f"benchmark: {words[0]}: {done.stderr.strip()}")
    return done.stdout


def figures(words, **environment):
    return [float(word) for word in output_of(words, **environment).split()]


def version_of_torch(*modules):
    """None where it, or one of these modules, is not installed."""
    imports = ", ".join(["torch", *modules])
    words = [sys.executable, "-c", f"import {imports}; print(torch.__version__)"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
