"""Reports a metric of the task that this process is; one file, no other module needed.

    from troupe_metric import report
    report("loss", 0.25, step)

`troupe metrics JOB` shows it over time, and `progress` (0 to 1), or `epoch` and `epochs`, draw the
bar of `troupe job JOB --follow`. The name has at most 64 printable characters, no blank, and does
not begin with `system/`. It never waits: a reader that is behind misses a line. Outside of a task
it does nothing.
"""

import os
import select


def report(name, value, step=0):
    number = os.environ.get("TROUPE_METRICS_FD")
    if number is None:
        return
    line = f"metric {name} {float(value):.9g} {int(step)}\n".encode()
    pipe = select.poll()
    pipe.register(int(number), select.POLLOUT)
    ready = pipe.poll(0)
    if ready and ready[0][1] == select.POLLOUT:
        try:
            os.write(int(number), line)
        except OSError:
            pass  # the reader is gone: there is nobody to tell
