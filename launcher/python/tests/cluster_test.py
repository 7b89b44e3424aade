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

    def test_a_job_is_killed(self):
        with troupe.Client(self.endpoint, self.directory, "user") as client:
            job = client.submit(self.spec("sleep 1000"))
            client.kill(job, "enough")
            for _ in client.watch(job):
                pass
            self.assertEqual(client.status(job).state, job_state.killed)


if __name__ == "__main__":
    unittest.main()
