"""The Python client against a real cluster: jobs are submitted, followed and killed."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import troupe  # noqa: E402
from troupe.job_state import job_state  # noqa: E402

TROUPE = os.environ["TROUPE_BINARY"]


class Cluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="troupe-python-")
        cls.troupe("up", "--nodes", "1")
        with open(os.path.join(cls.directory, "endpoint"), encoding="utf-8") as file:
            cls.endpoint = file.read().strip()

    @classmethod
    def tearDownClass(cls):
        cls.troupe("down")
        shutil.rmtree(cls.directory)

    @classmethod
    def troupe(cls, *words):
        subprocess.run([TROUPE, "--dir", cls.directory, *words], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)

    def spec(self, command):
        task = troupe.make_message("task_type", name="worker", instances=2, cpus=1,
                                   command=["/bin/sh", "-c", command])
        return troupe.make_message("job_spec", name="from-python", tasks=[task], attemptsMax=1,
                                   directory=self.directory)

    def test_a_job_is_submitted_and_followed_to_its_end(self):
        with troupe.Client(self.endpoint, self.directory, "user") as client:
            job = client.submit(self.spec("exit 0"))
            events = list(client.watch(job))
            self.assertTrue(events)
            self.assertEqual(client.status(job).state, job_state.succeeded)

    def test_a_failed_job_says_why(self):
        with troupe.Client(self.endpoint, self.directory, "user") as client:
            job = client.submit(self.spec("exit 7"))
            for _ in client.watch(job):
                pass
            status = client.status(job)
            self.assertEqual(status.state, job_state.failed)
            self.assertIn(b"code 7", status.reason)

    def test_the_record_tells_what_a_model_was_made_of(self):
        with troupe.Client(self.endpoint, self.directory, "user") as client:
            records = troupe.Records(client)
            records.declare("Data")
            records.declare("Model", accuracy=float)
            records.declare("Train", kind="execution")
            news = records.watch("models", where="type = 'Model'")
            records.subscribe("models", where="type = 'Model'")
            data = records.put("artifact", {"type": "Data", "uri": "/d", "external_id": "d-1"})
            self.assertEqual(records.put("artifact", {"type": "Data", "uri": "/d",
                                                      "external_id": "d-1"}), data)
            first = records.put("artifact", {"type": "Model", "name": "first"})
            self.assertEqual(next(news)["id"], first)
            run, (model,) = records.publish(
                execution={"type": "Train", "state": "complete"}, inputs=[data],
                outputs=[{"type": "Model", "uri": "/m", "properties": {"accuracy": 0.75},
                          "custom_properties": {"tags": ["a"], "n": 3, "good": True}}])
            rows = records.list("artifact", "properties.accuracy > 0.7")
            self.assertEqual([row["id"] for row in rows], [model])
            self.assertEqual(rows[0]["properties.accuracy"], 0.75)
            self.assertEqual(rows[0]["custom_properties.tags"], ["a"])
            self.assertIs(rows[0]["custom_properties.good"], True)
            nodes, events = records.lineage(model, way="upstream")
            self.assertEqual([(x["kind"], x["id"], x["hops"]) for x in nodes],
                             [("artifact", model, 0), ("execution", run, 1),
                              ("artifact", data, 2)])
            self.assertEqual(len(events), 2)
            told = next(news)
            self.assertEqual((told["id"], told["change"]), (model, "created"))
            with self.assertRaises(troupe.TroupeError) as refused:
                records.put("artifact", {"type": "Nothing"})
            self.assertIn("Nothing", str(refused.exception))
            records.forget("models")

    def test_a_job_is_killed(self):
        with troupe.Client(self.endpoint, self.directory, "user") as client:
            job = client.submit(self.spec("sleep 1000"))
            client.kill(job, "enough")
            for _ in client.watch(job):
                pass
            self.assertEqual(client.status(job).state, job_state.killed)


if __name__ == "__main__":
    unittest.main()
