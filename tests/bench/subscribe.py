"""From a publish to the start of who waits for it, among 1,000 subscribers, and a replay."""

import statistics

from contender import output_of
from rows import below_target, higher_is_better, show, tell
from troupe_cluster import BINARIES, Cluster

OURS = BINARIES / "subscribe_troupe"
SUBSCRIPTIONS, PUBLISHES, CHANGES, ROUNDS = 1000, 1000, 200_000, 3


def main():
    p50, p99, rate = [], [], []
    for _ in range(ROUNDS):
        with Cluster(0, 1) as cluster:
            out = output_of([OURS, "start", cluster.directory, SUBSCRIPTIONS, PUBLISHES])
            times = sorted(float(x) for x in out.split())
            p50.append(statistics.median(times))
            p99.append(times[len(times) * 99 // 100])
        with Cluster(0, 1) as cluster:
            rate.append(float(output_of([OURS, "replay", cluster.directory, CHANGES])))
    replayed = tell("replay", rate, "1/s")
    show(
        [
            below_target("publish_to_start_p50_ms", "ms", tell("p50", p50, "ms"), 2),
            below_target("publish_to_start_p99_ms", "ms", tell("p99", p99, "ms"), 20),
            higher_is_better("replay_rate", "1/s", replayed, 100_000, "target", ""),
        ]
    )


if __name__ == "__main__":
    main()
