"""Reports what the task that this process is measures, reads and writes; one file without others.

    from troupe_metric import report, report_input, report_output
    report("loss", 0.25, step)
    report_input("/data/train.csv")
    report_output("/models/model.bin")

`troupe metrics JOB` shows it over time, and `progress` (0 to 1), or `epoch` and `epochs`, draw the
bar of `troupe job JOB --follow`. The name has at most 64 printable characters, no blank, and does
not begin with `system/`. It never waits: a reader that is behind misses a line. Outside of a task
it does nothing.

The files that it names are in the lineage of the task with the hash that they have when it ends; a
path that is not absolute is one below the directory where the task's command was started. These
calls wait for a reader that is behind.
"""

import os
import select


def report(name, value, step=0):
    _say(f"metric {name} {float(value):.9g} {int(step)}\n".encode(), 0)


def report_input(path):
    _say(b"input " + os.fsencode(path) + b"\n", None)


def report_output(path):
    _say(b"output " + os.fsencode(path) + b"\n", None)


def _say(line, milliseconds):
    number = os.environ.get("TROUPE_METRICS_FD")
    if number is None:
        return
    pipe = select.poll()
    pipe.register(int(number), select.POLLOUT)
    ready = pipe.poll(milliseconds)
    if ready and ready[0][1] == select.POLLOUT:
        try:
            os.write(int(number), line)
        except OSError:
            pass  # the reader is gone: there is nobody to tell
