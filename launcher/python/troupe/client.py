"""A connection to the master of a cluster.

    with troupe.Client("tcp://127.0.0.1:7700", "/path/of/the/cluster", "ada") as client:
        job = client.submit(spec)
        for event in client.watch(job):
            print(event.text)

Guarantees: a request is answered or raises TroupeError before its deadline is over; submit() may be
repeated with the same token and makes one job. When the connection ends, every call raises: make a
new Client. Threads: calls of several threads take turns; a thread of the client's own sends its
heartbeats.
"""

import os
import secrets
import threading
import time

import zmq

from troupe.job_state import job_state
from troupe.wire import (TroupeError, load_keys, load_public_key, make_message, pack_envelope,
                         pack_frame, unpack_envelope, unpack_frames)

PROTOCOL = 1
HEARTBEAT_S = 0.25
SILENCE_MAX_S = 5.0
NODES_PER_ANSWER = 500
NODE_LOST = 7
DEADLINE = 6
ENDED = (job_state.succeeded, job_state.failed, job_state.killed)


class Client:
    def __init__(self, endpoint, directory, key, server="master", timeout=10.0):
        public, secret = load_keys(directory, key)
        self._user = key
        self._node = secrets.randbits(63) | 1
        self._life = time.time_ns()
        self._sent = self._received = self._request = 0
        self._wanted = self._answer = self._error = None
        self._turn = threading.Lock()  # one call at a time
        self._lock = threading.RLock()  # the socket and everything beside it
        self._closed = threading.Event()
        self._heard = time.monotonic()
        self._context = zmq.Context()
        self._socket = socket = self._context.socket(zmq.DEALER)
        socket.curve_publickey, socket.curve_secretkey = public, secret
        socket.curve_serverkey = load_public_key(directory, server)
        socket.linger = 500
        socket.reconnect_ivl = -1
        socket.maxmsgsize = (1 << 20) + 1024
        socket.connect(endpoint)
        socket.send(b"", zmq.DONTWAIT)  # announces the link; it waits for the handshake
        name = f"{key}/python-{os.getpid()}-{self._node:x}"
        self._send("hello", make_message("hello", name=name, node=self._node,
                                         incarnation=self._life, protocol=PROTOCOL))
        end = time.monotonic() + timeout
        while self._received == 0:
            if self._error or time.monotonic() > end:
                self._drop()
                raise self._error or TroupeError(
                    DEADLINE, f"no answer from '{endpoint}'; check that the cluster is up and that "
                              f"{key}.public is in its keys/authorized")
            self._turn_once(0.05)
        self._beat = threading.Thread(target=self._heartbeats, daemon=True)
        self._beat.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._closed.is_set():
            return
        self._closed.set()
        self._beat.join()
        with self._turn, self._lock:
            try:
                self._socket.send(b"", zmq.DONTWAIT)
            except zmq.ZMQError:
                pass  # the connection is gone already
            self._drop()

    def submit(self, spec, token=None):
        """Starts a job of a `job_spec` message; answers its number."""
        return self.ask("submit_job", spec=spec, user=self._user,
                        token=token or secrets.randbits(63) | 1).job

    def kill(self, job, reason=""):
        self.ask("kill_job", job=job, reason=reason)

    def status(self, job):
        return self.ask("get_job", job=job)

    def jobs(self):
        return self.ask("list_jobs").jobs or []

    def cluster(self):
        """Its state, with all nodes."""
        out = self.ask("get_cluster", limit=NODES_PER_ANSWER)
        page = out
        while page.more:
            page = self.ask("get_cluster", limit=NODES_PER_ANSWER, after=page.nodes[-1].name)
            out.nodes += page.nodes
        return out

    def watch(self, job, after=0):
        """The events of a job, as they come, until it has ended."""
        while True:
            answer = self.ask("watch_job", timeout=20.0, job=job, after=after)
            for event in answer.events or []:
                after = event.sequence
                yield event
            if answer.status.state in ENDED and not answer.events:
                return

    def ask(self, kind, /, timeout=10.0, actor="master", **fields):
        """Sends a message to an actor of the master's process and answers its reply."""
        body = make_message(kind, **fields)
        with self._turn:
            with self._lock:
                self._request += 1
                self._wanted, self._answer = self._request, None
                self._send(kind, body, request=self._request, actor=actor,
                           budgetNs=int(timeout * 1e9))
            end = time.monotonic() + timeout + 1.0
            while self._answer is None:
                if self._error:
                    raise self._error
                if time.monotonic() > end:
                    raise TroupeError(DEADLINE, f"no answer to '{kind}' in time; it may have been "
                                                "done nevertheless, look before you repeat it")
                self._turn_once(0.02)
            kind, answer = self._answer
        if kind == "failure":
            raise TroupeError(answer.code, (answer.text or b"").decode())
        return answer

    def _send(self, kind, body, **head):
        with self._lock:
            if self._error or self._closed.is_set():
                raise self._error or TroupeError(NODE_LOST, "the client is closed; make another")
            frame = pack_frame(pack_envelope(kind, body, sequence=self._sent + 1, sender=self._node,
                                             incarnation=self._life, **head))
            try:
                self._socket.send(frame, zmq.DONTWAIT)
            except zmq.ZMQError as e:
                self._error = TroupeError(NODE_LOST,
                                          f"the connection was lost ({e}); connect again")
                raise self._error from e
            self._sent += 1

    def _turn_once(self, seconds):
        """Takes what has come, or waits a little for it without holding the socket for long."""
        with self._lock:
            if not self._socket.poll(int(seconds * 1000)):
                if time.monotonic() - self._heard > SILENCE_MAX_S and self._received:
                    self._error = TroupeError(NODE_LOST, "the master is silent; connect again")
                return
            batch = self._socket.recv()
            self._heard = time.monotonic()
            try:
                if not batch:
                    raise TroupeError(NODE_LOST, "the master closed the link; connect again")
                for frame in unpack_frames(batch):
                    self._take(*unpack_envelope(frame))
            except TroupeError as e:
                self._error = e

    def _take(self, head, kind, body):
        if head.Sequence() != self._received + 1:
            raise TroupeError(NODE_LOST, "a message of the master was lost; connect again")
        self._received += 1
        if head.Reply() and head.Request() == self._wanted:
            self._wanted, self._answer = None, (kind, body)

    def _heartbeats(self):
        while not self._closed.wait(HEARTBEAT_S) and not self._error:
            try:
                self._send("heartbeat", make_message("heartbeat"))
            except TroupeError:
                return
            while not self._error and self._turn.acquire(blocking=False):
                try:
                    with self._lock:
                        if not self._socket.poll(0):
                            break
                        self._turn_once(0)
                finally:
                    self._turn.release()

    def _drop(self):
        self._socket.close()
        self._context.term()
