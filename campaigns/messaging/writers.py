"""Who writes the messages of a run: what they say, to whom, and the copy that is kept."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import transaction

from campaigns.messaging import contents, context, keeping, lanes, occasions
from campaigns.messaging.claims import Claimed
from campaigns.messaging.contents import Content, Ready, Unwritable
from campaigns.messaging.keeping import Written
from campaigns.messaging.lanes import Lane
from campaigns.messaging.marks import Outcome
from campaigns.models import Run


class Writer:
    """Writes one run's messages. `lanes` are those of what was asked for so far."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.lanes: dict[str, Lane] = {}
        self._contents: dict[str, tuple[Content, Lane] | Unwritable] = {}
        self._shared: set[str] = set()

    def content(self, step: str, variant: str) -> tuple[Content, Lane]:
        """What messages of this key say, compiled when first asked for, and the lane they take."""
        key = contents.key_of(step, variant)
        found = self._contents.get(key)
        if found is None:
            found = self._contents[key] = self._prepare_content(step, variant)
        if isinstance(found, Unwritable):
            raise found
        return found

    def _prepare_content(self, step: str, variant: str) -> tuple[Content, Lane] | Unwritable:
        kept = contents.find(self.run.snapshot, step=step, variant=variant)
        if kept is None:
            return Unwritable("no_content", "the run keeps no content for this message")
        try:
            written, lane = contents.compiled(kept), lanes.lane_of(kept)
        except Unwritable as why:
            return why
        self.lanes[lane.key] = lane
        return written, lane

    def purpose_of(self, step: str, variant: str) -> str:
        """What people must have agreed to."""
        kept = contents.find(self.run.snapshot, step=step, variant=variant) or {}
        return str(kept.get("purpose", contents.MARKETING))

    def prepare(self, claimed: Sequence[Claimed]) -> tuple[list[Ready], list[Outcome]]:
        """Bytes for each message, and the ends of those for whom none can be written."""
        ready, ends, now = [], [], datetime.now(UTC)
        written: list[tuple[Claimed, Content, Lane]] = []
        for message in claimed:
            try:
                written.append((message, *self.content(message.step, message.variant)))
            except Unwritable as why:
                ends.append(_failure(message, why))
        wants = frozenset[str]().union(*(content.wants for _message, content, _lane in written))
        values = context.build(
            customer_ids=[message.customer_id for message, _content, _lane in written], wants=wants
        )
        happened = occasions.of_stays(
            entries=[message.entry for message, _content, _lane in written if message.entry],
            wants=wants,
        )
        for message, content, lane in written:
            person = values.get(message.customer_id)
            if person is None:
                ends.append(Outcome(message.id, message.fence, "skipped", "gone", "", "", 0.0))
                continue
            if happened:
                person = {**person, **happened.get(message.entry, {})}
            try:
                outgoing = content.write(message, person, now)
            except Unwritable as why:
                ends.append(_failure(message, why))
            else:
                if not outgoing.sender:
                    outgoing = outgoing._replace(sender=lane.sender)
                ready.append(Ready(message, outgoing, lane.key))
        return ready, ends

    def store(self, ready: Sequence[Ready]) -> None:
        """Keep each message as it is about to leave."""
        commons = {
            key: found[0].common
            for key, found in self._contents.items()
            if not isinstance(found, Unwritable)
        }
        if fresh := set(commons) - self._shared:
            keeping.share(run_id=self.run.pk, commons=[commons[key] for key in fresh])
        keeping.store(
            [Written(r.message.id, r.outgoing.body, commons[_key(r.message)]) for r in ready]
        )
        transaction.on_commit(lambda: self._shared.update(fresh))


def _key(message: Claimed) -> str:
    return contents.key_of(message.step, message.variant)


def _failure(message: Claimed, why: Unwritable) -> Outcome:
    return Outcome(message.id, message.fence, "failed", why.reason, str(why)[:500], "", 0.0)
