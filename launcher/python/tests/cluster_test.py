"""The Python client against a real cluster: jobs are followed, and the record is kept."""

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
            self.assertFalse(records.lineage(model, way="upstream").truncated)
            self.assertTrue(records.lineage(model, way="upstream", limit=1).truncated)
            told = next(news)
            self.assertEqual((told["id"], told["change"]), (model, "created"))
            with self.assertRaises(troupe.TroupeError) as refused:
                records.put("artifact", {"type": "Nothing"})
            self.assertIn("Nothing", str(refused.exception))
            records.forget("models")

    def test_what_a_watcher_did_not_acknowledge_is_told_again(self):
        with troupe.Client(self.endpoint, self.directory, "user") as client:
            records = troupe.Records(client)
            records.declare("Watched")

            def watch(batch):
                return records.watch("watched", where="type = 'Watched'", batch=batch)

            records.subscribe("watched", where="type = 'Watched'")
            ids = [records.put("artifact", {"type": "Watched"}) for _ in range(3)]
            news = watch(batch=1)
            self.assertEqual([next(news)["id"], next(news)["id"]], ids[:2])
            news.close()
            self.assertEqual([x["id"] for _, x in zip(range(2), watch(batch=100))], ids[1:])
            self.assertEqual(next(watch(batch=100))["id"], ids[1])
            records.forget("watched")

    def test_work_starts_once(self):
        with troupe.Client(self.endpoint, self.directory, "user") as client:
            records = troupe.Records(client)
            records.declare("Pushed")
            records.declare("Push", kind="execution")
            id = records.put("artifact", {"type": "Pushed"})

            def claim(holder, lost_holder=0):
                return records.claim("pusher", id, 1, holder=holder, lost_holder=lost_holder)

            first = claim(1)
            self.assertEqual((first.got, first.attempt, first.state), (True, 1, "taken"))
            self.assertEqual(claim(1).attempt, 1)  # said again
            other = claim(2)
            self.assertEqual((other.got, other.attempt, other.state), (False, 0, "taken"))
            with self.assertRaises(troupe.TroupeError):
                other.finish()
            first.fail()
            second = claim(2)
            self.assertEqual((second.got, second.attempt), (True, 2))
            third = claim(3, lost_holder=2)
            self.assertEqual((third.got, third.attempt), (True, 3))
            push = {"type": "Push", "state": "complete"}
            for lost in (first, second):  # they say nothing any more, also not with a result
                with self.assertRaises(troupe.TroupeError):
                    records.publish(execution=push, claim=lost)
            self.assertEqual(records.list("execution", "type = 'Push'"), [])
            records.publish(execution=push, claim=third)
            third.finish()  # said again
            self.assertEqual(third.state, "done")
            self.assertEqual((claim(4).got, claim(4).state), (False, "done"))
            with self.assertRaises(troupe.TroupeError) as refused:
                records.claim("pusher", id, 2, holder=1)
            self.assertIn("no version 2", str(refused.exception))

    def test_a_result_is_found_again(self):
        with troupe.Client(self.endpoint, self.directory, "user") as client:
            records = troupe.Records(client)
            records.declare("Result")
            records.declare("Compute", kind="execution")
            facts = records.fingerprint("v1", {"lr": "0.1"}, {"data": ["h1"]})
            self.assertIsNone(records.find_reusable(facts))
            run = {"type": "Compute", "state": "complete", "fingerprint": facts}
            records.publish(execution=run, outputs=[{"type": "Result"}])  # not known to be live
            self.assertIsNone(records.find_reusable(facts))
            made, outputs = records.publish(
                execution=run, outputs=[{"type": "Result", "state": "live"}] * 2)
            found = records.find_reusable(facts)
            self.assertEqual(found["execution"], made)
            self.assertEqual([(x["artifact"], x["path"]) for x in found["outputs"]],
                             [(outputs[0], [0]), (outputs[1], [1])])

    def test_a_job_is_killed(self):
        with troupe.Client(self.endpoint, self.directory, "user") as client:
            job = client.submit(self.spec("sleep 1000"))
            client.kill(job, "enough")
            for _ in client.watch(job):
                pass
            self.assertEqual(client.status(job).state, job_state.killed)


if __name__ == "__main__":
    unittest.main()
