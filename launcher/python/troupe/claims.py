"""Work that starts once: the rules are those of storage/metadata/subscription.hpp."""

from troupe.claim_step import claim_step
from troupe.wire import TroupeError, make_message

ALREADY_EXISTS = 3
REFUSED = 4


class Claim:
    """A consumer's right to work on one version of an artifact: see Records.claim.

    got      whether it was; then the work is ours, until finish() or fail()
    attempt  its number, from 1; 0 where it was not got
    state    "taken", "done" or "failed"; where it was not got, by somebody else
    """

    def __init__(self, write, consumer, artifact, version, holder):
        self.consumer, self.artifact, self.version = consumer, artifact, version
        self.holder = holder
        self.got, self.attempt, self.state = False, 0, ""
        self._write = write

    def take(self, lost_holder=0):
        try:
            answer = self._write(claims=[self.put("take", lost_holder)])
        except TroupeError as e:
            if e.code not in (ALREADY_EXISTS, REFUSED):
                raise
            self.state = "done" if e.code == ALREADY_EXISTS else "taken"
            return
        self.got, self.attempt, self.state = True, answer.claims[0].attempt, "taken"

    def finish(self):
        """The work is done, for ever. Said again it changes nothing; so does fail()."""
        self._write(claims=[self.put("finish")])
        self.state = "done"

    def fail(self):
        """Gives it back: whoever claims it next gets the next attempt."""
        self._write(claims=[self.put("fail")])
        self.state = "failed"

    def put(self, step, lost_holder=0):
        """The message of a step, for a write of something else with it."""
        return make_message("claim_put", step=getattr(claim_step, step), consumer=self.consumer,
                            artifact=self.artifact, version=self.version, holder=self.holder,
                            attempt=self.attempt, lostHolder=lost_holder)
