"""ML Metadata on SQLite, for the benchmarks lineage_write and lineage_query.

lineage_mlmd.py write DIRECTORY SECONDS WRITERS    prints publishes a second
lineage_mlmd.py query DIRECTORY EXECUTIONS         writes them first; prints the p50 in us
"""

import statistics
import sys
import threading
import time

import ml_metadata.errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

INPUTS, OUTPUTS, WINDOW = 3, 2, 20  # as lineage_shape.hpp
AT_ONCE = 500
QUERIES = 30


def input_of(i, j):
    if i < WINDOW:
        return j % OUTPUTS
    return OUTPUTS * (i - (i * 7 + j * 11) % WINDOW) + j % OUTPUTS


def opened(directory):
    where = mlmd.ConnectionConfig()
    where.sqlite.filename_uri = f"{directory}/mlmd.sqlite"
    where.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return metadata_store.MetadataStore(where)


def types(store):
    data = mlmd.ArtifactType(name="Data", properties={"n": mlmd.INT})
    train = mlmd.ExecutionType(name="Train", properties={"x": mlmd.STRING})
    return store.put_artifact_type(data), store.put_execution_type(train)


def artifact(kind, n):
    made = mlmd.Artifact(type_id=kind, uri=f"/d/{n}", state=mlmd.Artifact.LIVE)
    made.properties["n"].int_value = n
    return made


def execution(kind, i):
    made = mlmd.Execution(type_id=kind, last_known_state=mlmd.Execution.COMPLETE)
    made.properties["x"].string_value = f"r{i}"
    return made


def event(kind, step):
    made = mlmd.Event(type=kind)
    made.path.steps.add().index = step
    return made


def kind_of_input(j):
    return mlmd.Event.INPUT if j < OUTPUTS else mlmd.Event.DECLARED_INPUT


def write(directory, seconds, writers):
    first = opened(directory)
    data, train = types(first)
    inputs = first.put_artifacts([artifact(data, n) for n in range(OUTPUTS)])
    done = [0] * writers
    end = time.monotonic() + seconds

    def publish(store, i):
        pairs = []
        for j in range(INPUTS):
            made = event(kind_of_input(j), j)
            made.artifact_id = inputs[j % OUTPUTS]
            pairs.append((None, made))
        for k in range(OUTPUTS):
            pairs.append((artifact(data, OUTPUTS * (i + 1) + k), event(mlmd.Event.OUTPUT, k)))
        store.put_execution(execution(train, i), pairs, [])

    def work(mine):
        store = first if mine == 0 else opened(directory)
        while time.monotonic() < end:
            try:
                publish(store, mine + writers * done[mine])
                done[mine] += 1
            except ml_metadata.errors.StatusError:  # the database is locked
                continue

    begin = time.monotonic()
    threads = [threading.Thread(target=work, args=(each,)) for each in range(writers)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print(sum(done) / (time.monotonic() - begin))


def load(store, executions):
    data, train = types(store)
    ids = store.put_artifacts([artifact(data, n) for n in range(OUTPUTS)])
    for first in range(0, executions, AT_ONCE):
        runs, things, edges = [], [], []
        for i in range(first, min(first + AT_ONCE, executions)):
            for j in range(INPUTS):
                n = input_of(i, j)
                made = event(kind_of_input(j), j)
                if n < len(ids):
                    made.artifact_id = ids[n]
                    edges.append((len(runs), None, made))
                else:
                    edges.append((len(runs), n - len(ids), made))
            for k in range(OUTPUTS):
                edges.append((len(runs), len(things), event(mlmd.Event.OUTPUT, k)))
                things.append(artifact(data, OUTPUTS * (i + 1) + k))
            runs.append(execution(train, i))
        ids += store.put_lineage_subgraph(runs, things, [], edges)[1]
    return ids


def query(directory, executions):
    store = opened(directory)
    ids = load(store, executions)
    times = []
    for each in range(QUERIES):
        i = executions // 2 + each * 7919 % (executions // 2)
        options = mlmd.LineageSubgraphQueryOptions(max_num_hops=10)
        options.direction = mlmd.LineageSubgraphQueryOptions.UPSTREAM
        options.starting_artifacts.filter_query = f"id = {ids[OUTPUTS * (i + 1)]}"
        begin = time.monotonic()
        store.get_lineage_subgraph(options)
        times.append(1e6 * (time.monotonic() - begin))
    print(statistics.median(times))


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
    else:
        query(sys.argv[2], int(sys.argv[3]))
