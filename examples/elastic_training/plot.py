#!/usr/bin/env python3
"""The loss of a job over its steps as an SVG, from what `troupe metrics --json` prints.

    plot.py LOSSES.json OUT.svg

Each worker has a colour of its own. Ends with 1 where the curve breaks: where steps are missing
between two samples, or the loss jumps back up to that of an untrained network.
"""
import json
import sys

COLOURS = ["#1b6ca8", "#d1495b", "#2e933c", "#8d6a9f", "#e09f3e"]
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 860, 360, 60, 40, 30
SMOOTHED_OVER = 3
UNTRAINED = 2.3  # the natural logarithm of 10 classes


def series_of(answer):
    """{task: [(step, loss)]}"""
    out = {}
    for task in answer["tasks"]:
        for metric in task["metrics"]:
            if metric["name"] == "loss":
                out[task["task"]] = sorted((step, loss) for _, loss, step in metric["samples"])
    return {task: samples for task, samples in sorted(out.items()) if samples}


def breaks_in(tasks):
    """What is wrong with the curve of all workers; a step that two of them report counts once."""
    curve = sorted({step: loss for samples in tasks.values() for step, loss in samples}.items())
    found = []
    gap = max(8 * (curve[-1][0] - curve[0][0]) // len(curve), 40)
    for (before, _), (after, _) in zip(curve, curve[1:]):
        if after - before > gap:
            found.append(f"no loss from step {before} to {after}")
    late = [x for x in curve if x[0] > curve[-1][0] // 4]
    if any(loss > UNTRAINED for _, loss in late):
        found.append("the loss is again that of an untrained network")
    return found


def smoothed(samples):
    for i in range(len(samples)):
        near = samples[max(0, i - SMOOTHED_OVER + 1):i + 1]
        yield samples[i][0], sum(loss for _, loss in near) / len(near)


def svg(tasks):
    last = max(samples[-1][0] for samples in tasks.values())
    most = max(loss for samples in tasks.values() for _, loss in samples)

    def place(step, loss):
        x = LEFT + (WIDTH - LEFT - 20) * step / max(last, 1)
        y = TOP + (HEIGHT - TOP - BOTTOM) * (1 - loss / most)
        return f"{x:.1f},{y:.1f}"

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]

    def write(x, y, text, **attributes):
        words = "".join(f' {name.replace("_", "-")}="{is_}"' for name, is_ in attributes.items())
        out.append(f'<text x="{x}" y="{y}"{words}>{text}</text>')

    for k in range(5):
        x, y = map(float, place(0, most * k / 4).split(","))
        out.append(f'<line x1="{x}" y1="{y}" x2="{WIDTH - 20}" y2="{y}" stroke="#ddd"/>')
        write(LEFT - 8, y + 4, f"{most * k / 4:.2f}", text_anchor="end")
        x, y = place(last * k / 4, 0).split(",")
        write(x, HEIGHT - BOTTOM + 18, last * k // 4, text_anchor="middle")
    write(WIDTH / 2, HEIGHT - 6, "step", text_anchor="middle")
    for number, (task, samples) in enumerate(tasks.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(place(*x) for x in smoothed(samples))
        out.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"'
            ' stroke-opacity="0.8"/>'
        )
        steps = f"{task}: steps {samples[0][0]} to {samples[-1][0]}"
        write(LEFT + 20 + 190 * number, 18, steps, fill=colour)
    return "\n".join(out + ["</svg>", ""])


def main():
    source, target = sys.argv[1:]
    with open(source) as opened:
        tasks = series_of(json.load(opened))
    if not tasks:
        sys.exit("there are no losses to plot")
    with open(target, "w") as opened:
        opened.write(svg(tasks))
    for task, samples in tasks.items():
        first, last = samples[0][0], samples[-1]
        print(f"{task}: {len(samples)} losses of steps {first} to {last[0]}, last {last[1]:.3f}")
    found = breaks_in(tasks)
    for each in found:
        print("the curve breaks: " + each)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
