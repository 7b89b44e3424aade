"""The record of a cluster: what was made of what, by what, in which context.

    records = troupe.Records(client)
    records.declare("Model", accuracy=float)
    records.publish(execution={"type": "Train", "state": "complete"},
                    inputs=[{"type": "Data", "uri": "/data/train.csv"}],
                    outputs=[{"type": "Model", "uri": "/m", "properties": {"accuracy": 0.9}}])
    pandas.DataFrame(records.list("artifact", "properties.accuracy > 0.8"))

A node is a dictionary: type, name, external_id, state, uri, hash, properties (declared by its type)
and custom_properties; those that are answered have id, version, sequence, created_ns and updated_ns
too. Values are int, float, str, bool, and dict or list (JSON). Filters: storage/formats.md.
Guarantees and errors: those of Client; what is written is durable, whole or not at all. A write
whose answer was lost may have been done: a node with an external_id is made once.
"""

import collections
import json

from troupe.claims import Claim
from troupe.fingerprint import fingerprint_of
from troupe.lineage_way import lineage_way
from troupe.property_kind import property_kind
from troupe.record_event_type import record_event_type
from troupe.record_existing import record_existing
from troupe.record_kind import record_kind
from troupe.record_link_kind import record_link_kind
from troupe.record_state import record_state
from troupe.subscription_step import subscription_step
from troupe.wire import TroupeError, make_message

_KINDS = ("artifact", "execution", "context")
_STATES = {v: k for k, v in vars(record_state).items() if isinstance(v, int)}
_CHANGES = {1: "created", 2: "updated", 3: "linked"}
_VALUE_KINDS = {int: property_kind.integer, float: property_kind.real, str: property_kind.text,
                bool: property_kind.boolean, dict: property_kind.json, list: property_kind.json}
_ACTOR = "artifact_store"


def _text(value):
    return (value or b"").decode() if isinstance(value, (bytes, type(None))) else value


def _kind(name):
    if name not in _KINDS:
        raise TroupeError(1, f"'{name}' is no kind; choose artifact, execution or context")
    return getattr(record_kind, name)


def _property(name, value):
    kind = _VALUE_KINDS.get(type(value))
    if kind is None:
        raise TroupeError(1, f"the property '{name}' is a {type(value).__name__}; give an int, a "
                             "float, a str, a bool, a dict or a list")
    out = make_message("property", name=name, kind=kind)
    if kind in (property_kind.integer, property_kind.boolean):
        out.number = int(value)
    elif kind == property_kind.real:
        out.real = value
    else:
        out.text = value if kind == property_kind.text else json.dumps(value)
    return out


def _value(x):
    if x.kind in (property_kind.integer, property_kind.boolean):
        return bool(x.number) if x.kind == property_kind.boolean else x.number
    if x.kind == property_kind.real:
        return x.real
    if x.kind == property_kind.any:
        return bytes(x.bytes or b"")
    return json.loads(_text(x.text)) if x.kind == property_kind.json else _text(x.text)


def _put(kind, node):
    """The message that adds a node, or changes the one whose id is given."""
    what = make_message("record_node", kind=_kind(kind), typeName=node.get("type", ""))
    for name, field in (("id", "id"), ("name", "name"), ("uri", "uri"), ("hash", "hash"),
                        ("external_id", "externalId"), ("fingerprint", "fingerprint")):
        if node.get(name):
            setattr(what, field, node[name])
    what.state = getattr(record_state, node.get("state", "none").lower())
    what.properties = [_property(*each) for each in node.get("properties", {}).items()]
    what.custom = [_property(*each) for each in node.get("custom_properties", {}).items()]
    existing = record_existing.update if node.get("external_id") else record_existing.refuse
    return make_message("node_put", what=what, existing=existing)


def _row(x):
    """A node as one flat dictionary, a column for each property."""
    out = {"kind": _KINDS[x.kind], "id": x.id, "type": _text(x.typeName), "name": _text(x.name),
           "external_id": _text(x.externalId), "state": _STATES.get(x.state, ""),
           "uri": _text(x.uri), "hash": _text(x.hash), "fingerprint": _text(x.fingerprint),
           "version": x.version, "sequence": x.sequence, "created_ns": x.createdNs,
           "updated_ns": x.updatedNs}
    out.update({"properties." + _text(each.name): _value(each) for each in x.properties or []})
    out.update({"custom_properties." + _text(each.name): _value(each) for each in x.custom or []})
    return out


def _event(x):
    """An event as a row; its path has an index or a name for each step."""
    return {"execution": x.execution, "artifact": x.artifact, "type": x.type, "time_ns": x.timeNs,
            "path": [_text(step.name) or step.index for step in x.path or []]}


class Lineage(collections.namedtuple("Lineage", "nodes events")):
    """(rows of nodes, rows of events); `truncated` says that there is more."""

    truncated = False


class Records:
    fingerprint = staticmethod(fingerprint_of)

    def __init__(self, client):
        self._client = client

    def declare(self, name, kind="artifact", **properties):
        """Adds a type, or properties to it: declare("Model", accuracy=float). Answers its id."""
        declared = [make_message("property", name=each, kind=_VALUE_KINDS[of])
                    for each, of in properties.items()]
        made = make_message("record_type", kind=_kind(kind), name=name, properties=declared)
        return self._write(types=[made], mayAdd=True, mayOmit=True).types[0]

    def put(self, kind, node):
        """Adds a node, or changes the one with its id or external_id. Answers its id."""
        return int(self._write(nodes=[_put(kind, node)]).ids[0])

    def publish(self, execution, inputs=(), outputs=(), context=None, claim=None):
        """An execution with all that it read and made, in one transaction, which also finishes the
        claim. Inputs are nodes, or ids of artifacts that are there. Answers (id of the execution,
        ids of the outputs)."""
        nodes = [_put("execution", execution)]
        events, links = [], []

        def reference(index):
            return make_message("record_ref", index=index)

        def add(kind, node):
            if isinstance(node, int):
                return make_message("record_ref", id=node)
            nodes.append(_put(kind, node))
            return reference(len(nodes) - 1)

        first_output = None
        for kind, all_of in ((record_event_type.input, inputs),
                             (record_event_type.output, outputs)):
            first_output = len(nodes)
            for at, x in enumerate(all_of):
                step = make_message("path_step", index=at)
                events.append(make_message("event_put", execution=reference(0), type=kind,
                                           artifact=add("artifact", x), path=[step]))
        if context is not None:
            links.append(make_message("link_put", kind=record_link_kind.association,
                                      context=add("context", context),
                                      other=reference(0)))
        claims = [claim.put("finish")] if claim else []
        ids = [int(x) for x in self._write(nodes=nodes, events=events, links=links,
                                           keepEvents=True, claims=claims).ids]
        if claim:
            claim.state = "done"
        return ids[0], ids[first_output:first_output + len(outputs)]

    def list(self, kind="artifact", where="", limit=1000, as_of=0):
        """Rows for pandas.DataFrame: the nodes that match, in the order of their ids."""
        rows, token = [], ""
        while len(rows) < limit:
            page = self._client.ask("list_records", actor=_ACTOR, kind=_kind(kind), filter=where,
                                    limit=min(limit - len(rows), 1000), token=token, asOf=as_of)
            rows += [_row(x) for x in page.nodes or []]
            token = _text(page.next)
            if not token:
                break
        return rows

    def lineage(self, ids, kind="artifact", way="both", depth=100, limit=1000, as_of=0):
        """(rows of nodes with their hops, rows of events) around these nodes; way: both, upstream
        or downstream. Its `truncated` is True where some of it is missing, because of the limit or
        of the size of an answer: ask with a smaller depth, or from the nodes at its edge."""
        answer = self._client.ask("get_graph", actor=_ACTOR, kind=_kind(kind),
                                  ids=[ids] if isinstance(ids, int) else ids,
                                  way=getattr(lineage_way, way), hopsMax=depth, nodesMax=limit,
                                  asOf=as_of)
        nodes = [dict(_row(x.what), hops=x.hops) for x in answer.nodes or []]
        out = Lineage(nodes, [_event(x) for x in answer.events or []])
        out.truncated = answer.truncated
        return out

    def find_reusable(self, fingerprint):
        """The newest result with that fingerprint whose execution is complete or cached and whose
        outputs are all live: {"execution": id, "outputs": rows of events}; or None."""
        answer = self._client.ask("find_reusable", actor=_ACTOR, fingerprint=fingerprint)
        if answer.execution == 0:
            return None
        return {"execution": answer.execution,
                "outputs": [_event(x) for x in answer.outputs or []]}

    def subscribe(self, subscription, kind="artifact", where=""):
        """From now on the subscription has each change; one that is there goes on."""
        step = make_message("subscription_put", step=subscription_step.add, name=subscription,
                            kind=_kind(kind), filter=where)
        self._write(subscriptions=[step])

    def watch(self, subscription, kind="artifact", where="", batch=100):
        """Each change as it comes, a row with its "change", to one watcher of a subscription.

        Changes are fetched a batch at a time, and acknowledged when the one after the batch is
        asked for. What was not acknowledged when a watcher ends, whether it was taken from here or
        not, is told again to the next one: claim() tells work that was done from work that was not.
        With a batch of 1 this is at most the last change, for a request and a write each."""
        self.subscribe(subscription, kind, where)
        sequence = index = 0
        while True:
            news = self._client.ask("next_changes", actor=_ACTOR, subscription=subscription,
                                    limit=batch, sequence=sequence, index=index, wait=True)
            for x in news.changes or []:
                yield dict(_row(x.now), change=_CHANGES.get(x.what, ""))
                sequence, index = x.sequence, x.index + 1
            if not news.changes:
                sequence, index = news.sequence, news.index

    def claim(self, consumer, artifact, version, holder, lost_holder=0):
        """The right of all consumers of that name to work on a version of an artifact, which one
        of them gets: see Claim. Its `got` says whether it is ours.

        A holder is a number that is not 0 and nobody else's. With it the same attempt is got again.
        A claim does not expire: what a holder that is gone has left is got by its own number, or by
        who names it as the lost_holder; then the old one can end nothing any more."""
        out = Claim(self._write, consumer, artifact, version, holder)
        out.take(lost_holder)
        return out

    def forget(self, subscription):
        step = make_message("subscription_put", step=subscription_step.remove, name=subscription)
        self._write(subscriptions=[step])

    def _write(self, **fields):
        return self._client.ask("write_records", actor=_ACTOR, **fields)

