"""Frames, envelopes, keys and fingerprints of the client; needs no cluster."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import zmq  # noqa: E402

import troupe  # noqa: E402
from troupe import wire  # noqa: E402


class Frames(unittest.TestCase):
    def test_come_back_as_they_went(self):
        contents = [b"x", b"12345678", bytes(1001)]
        batch = b"".join(wire.pack_frame(c) for c in contents)
        self.assertEqual(len(batch) % 8, 0)
        self.assertEqual(wire.unpack_frames(batch), contents)

    def test_that_are_none_are_refused(self):
        good = wire.pack_frame(b"12345678")
        for bad in (good[:-1], good[:4], b"\xff" * 16, good + b"\0" * 8):
            with self.assertRaises(troupe.TroupeError):
                wire.unpack_frames(bad)
        with self.assertRaises(troupe.TroupeError):
            wire.pack_frame(bytes(wire.FRAME_SIZE_MAX + 1))


class Envelopes(unittest.TestCase):
    def test_carry_a_job(self):
        task = troupe.make_message("task_type", name="worker", instances=2, command=["sleep", "1"],
                                   env=[troupe.make_message("variable", name="A", value="1")])
        spec = troupe.make_message("job_spec", name="demo", tasks=[task], directory="/tmp")
        request = troupe.make_message("submit_job", spec=spec, token=7)
        frame = wire.pack_envelope("submit_job", request, sequence=3, request=9, actor="master")
        head, kind, body = wire.unpack_envelope(frame)
        self.assertEqual((head.Sequence(), head.Request(), head.Actor(), kind),
                         (3, 9, b"master", "submit_job"))
        self.assertEqual((body.token, body.spec.name, body.spec.tasks[0].instances),
                         (7, b"demo", 2))
        self.assertEqual(body.spec.tasks[0].command, [b"sleep", b"1"])

    def test_that_are_none_are_refused(self):
        for bad in (b"", b"\0" * 8, b"\xff" * 64):
            with self.assertRaises(troupe.TroupeError):
                wire.unpack_envelope(bad)


class Keys(unittest.TestCase):
    def test_are_read_and_kept_private(self):
        with tempfile.TemporaryDirectory() as directory:
            os.makedirs(f"{directory}/keys/authorized")
            public, secret = zmq.curve_keypair()
            path = f"{directory}/keys/ada.secret"
            with open(path, "wb") as file:
                file.write(b"public " + public + b"\nsecret " + secret + b"\n")
            os.chmod(path, 0o600)
            with open(f"{directory}/keys/authorized/ada.public", "wb") as file:
                file.write(public + b"\n")
            self.assertEqual(wire.load_keys(directory, "ada"), (public, secret))
            self.assertEqual(wire.load_public_key(directory, "ada"), public)
            os.chmod(path, 0o644)
            with self.assertRaisesRegex(troupe.TroupeError, "chmod 600"):
                wire.load_keys(directory, "ada")
            with self.assertRaises(troupe.TroupeError):
                wire.load_keys(directory, "nobody")


class Fingerprints(unittest.TestCase):
    def test_are_those_of_cpp(self):
        # Of these bytes (storage/formats.md, "Fingerprints"), by sha256sum: 2 "v1" 2 2 "lr" 3 "0.1"
        # 1 "z" 2 "ü" 2 4 "data" 2 2 "h1" 2 "h2" 4 "none" 0, each number a little-endian u32.
        made = troupe.Records.fingerprint("v1", {"z": "ü", "lr": "0.1"},
                                          {"none": [], "data": ["h1", "h2"]})
        self.assertEqual(made, "a5cd166b48b8f15b2b32d54f917514208a8c8a3073c690073fdb6dca07ce6608")

    def test_are_not_made_of_what_has_many_spellings(self):
        for bad in (("v1", {"lr": 0.1}), (1,), ("v1", {}, {"data": "h1"})):
            with self.assertRaises(troupe.TroupeError):
                troupe.Records.fingerprint(*bad)


class Metrics(unittest.TestCase):
    def test_are_reported_as_lines_and_only_in_a_task(self):
        import troupe_metric
        troupe_metric.report("loss", 1)  # no task: nothing happens
        reader, writer = os.pipe()
        os.environ["TROUPE_METRICS_FD"] = str(writer)
        try:
            troupe_metric.report("loss", 0.25, 3)
            self.assertEqual(os.read(reader, 100), b"metric loss 0.25 3\n")
            troupe_metric.report_input("in.csv")
            troupe_metric.report_output("/m.bin")
            self.assertEqual(os.read(reader, 100), b"input in.csv\noutput /m.bin\n")
            os.close(reader)
            troupe_metric.report("loss", 0.5, 4)  # nobody reads
        finally:
            del os.environ["TROUPE_METRICS_FD"]
            os.close(writer)


if __name__ == "__main__":
    unittest.main()
