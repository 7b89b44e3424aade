"""Disdat's part of the benchmark bundles: adds FILES/N as a bundle, N = 0, 1 ...; prints seconds.

bundles_disdat.py version | bundles_disdat.py FILES BUNDLES, with HOME as the place of its store
"""

import logging
import sys
import time

import disdat
import disdat.api as api


def main():
    if sys.argv[1] == "version":
        print(getattr(disdat, "__version__", "of unknown version"))
        return
    logging.disable(logging.CRITICAL)
    files, count = sys.argv[1], int(sys.argv[2])
    api.context("bench")
    begin = time.perf_counter()
    for number in range(count):
        api.add("bench", f"bundle-{number}", f"{files}/{number}")
    print(time.perf_counter() - begin)


if __name__ == "__main__":
    main()
