"""Checks what TonY promises to a TensorFlow worker, and sums squares with the others."""
import json
import os
import socket
import time

index = int(os.environ["TASK_INDEX"])
steps = int(os.environ["STEPS"])
cluster = json.loads(os.environ["CLUSTER_SPEC"])
config = json.loads(os.environ["TF_CONFIG"])

assert os.environ["JOB_NAME"] == "worker"
assert os.environ["TASK_NUM"] == "2", "the parameter server is not tracked"
assert os.environ["DISTRIBUTED_MODE"] == "GANG"
assert os.environ["GREETING"] == "hello"
assert ("IS_CHIEF" in os.environ) == (index == 0)
assert {name: len(members) for name, members in cluster.items()} == {"worker": 2, "ps": 1}
assert config == {"cluster": cluster, "task": {"type": "worker", "index": index}}

deadline = time.monotonic() + 30


def connect(address):
    host, port = address.rsplit(":", 1)
    while True:
        try:
            return socket.create_connection((host, int(port)), timeout=10)
        except ConnectionRefusedError:  # it has its port, but does not listen yet
            assert time.monotonic() < deadline, "the parameter server does not answer"
            time.sleep(0.05)


with connect(cluster["ps"][0]) as link, link.makefile("rw") as lines:

    def ask(text):
        print(text, file=lines, flush=True)
        total, count = map(int, lines.readline().split())
        return total, count

    for step in range(steps):
        ask((index * steps + step) ** 2)
    total, count = ask("")
    while count < 2 * steps:  # until the other one has sent all of its own
        assert time.monotonic() < deadline, "the other worker does not come"
        time.sleep(0.05)
        total, count = ask("")

assert total == sum(x * x for x in range(2 * steps)), total
print(f"worker {index}: the sum of {count} squares is {total}")
