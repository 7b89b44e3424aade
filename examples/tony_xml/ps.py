"""A parameter server: a worker sends a number, and gets the sum so far and how many came."""
import json
import os
import socketserver

assert os.environ["JOB_NAME"] == "ps" and os.environ["TASK_INDEX"] == "0"
assert "IS_CHIEF" not in os.environ
host, port = json.loads(os.environ["CLUSTER_SPEC"])["ps"][0].rsplit(":", 1)
total, count = 0, 0


class Push(socketserver.StreamRequestHandler):
    def handle(self):
        global total, count
        for line in self.rfile:
            if line.strip() != b"":
                total, count = total + int(line), count + 1
            self.wfile.write(b"%d %d\n" % (total, count))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


# It never ends by itself: TonY stops an untracked task when the tracked ones have ended.
Server(("", int(port)), Push).serve_forever()
