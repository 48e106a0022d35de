"""What the steps of a batch do: rows of the ledger of messages, attributes, lists, other journeys.

Nothing here leaves the house. A message, a webhook and a word to colleagues are rows that the pump
of messages sends; all of it stands or falls with the transaction of the batch.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from campaigns.journeys import entering, graphs
from campaigns.journeys.entering import Candidate
from campaigns.journeys.graph import Node
from campaigns.journeys.walking import Walker
from campaigns.messaging import contents, queueing
from campaigns.messaging.queueing import NewMessage
from campaigns.recipients import audience
from ingestion.identity import profile
from marketing.core import bus

_ADD = """
INSERT INTO campaigns_personlistmember (list_id, customer_id)
SELECT %s, id FROM unnest(%s::bigint[]) AS n (id)
WHERE EXISTS (SELECT FROM campaigns_personlist l WHERE l.id = %s) ON CONFLICT DO NOTHING
"""
_REMOVE = "DELETE FROM campaigns_personlistmember WHERE list_id = %s AND customer_id = ANY(%s)"
_COUNT = """
UPDATE campaigns_personlist SET people = people + %s, updated_at = %s WHERE id = %s
"""


class Deeds:
    """What one batch of one version does."""

    def __init__(self, *, version: graphs.Walked, now: datetime) -> None:
        self.version, self.now = version, now
        self.messages: list[NewMessage] = []
        self.started: dict[int, list[Candidate]] = defaultdict(list)

    def act(self, node: Node, people: Sequence[Walker]) -> None:
        """Do what a node says for everybody who came to it."""
        said = node.settings
        match node.kind:
            case "send":
                self._queue(node, people, said["channel"], "")
            case "webhook":
                self._queue(node, people, "webhook", "")
            case "notify":  # a mail, though not one to the person: it asks for no consent
                self._queue(node, people, contents.STAFF, said["to"])
            case "attribute":
                profile.apply(
                    changes=[
                        profile.Change(
                            walker.customer_id,
                            self.now,
                            f"journey:{walker.id}:{node.id}",
                            {said["name"]: said["value"]},
                        )
                        for walker in people
                    ],
                    now=self.now,
                )
            case "list_add" | "list_remove":
                self._list(node.kind == "list_add", said["list"], people)
            case "start_journey":
                self.started[said["journey"]] += [
                    Candidate(
                        customer_id=walker.customer_id,
                        key=f"from:{walker.id}:{node.id}",
                        at=walker.arrived_at,
                        context=walker.context,
                    )
                    for walker in people
                ]
            case kind:  # passed by in silence, it would look done
                raise NotImplementedError(f"nobody does {kind}")

    def _queue(self, node: Node, people: Sequence[Walker], channel: str, address: str) -> None:
        kept: set[int] = set()
        if node.kind == "send":
            kept = audience.kept_out(walker.customer_id for walker in people)
        self.messages += [
            NewMessage(
                customer_id=walker.customer_id,
                channel=channel,
                address=address,
                step=node.id,
                entry=walker.id,
                reason=audience.GLOBAL_HOLDOUT if walker.customer_id in kept else "",
            )
            for walker in people
        ]

    def _list(self, add: bool, list_id: int, people: Sequence[Walker]) -> None:
        ids = sorted({walker.customer_id for walker in people})
        with connection.cursor() as cursor:
            if add:
                cursor.execute(_ADD, [list_id, ids, list_id])
            else:
                cursor.execute(_REMOVE, [list_id, ids])
            moved = cursor.rowcount
            if moved:
                cursor.execute(_COUNT, [moved if add else -moved, self.now, list_id])
        if moved:
            bus.announce("list.read")

    def finish(self) -> None:
        """Write what was gathered: the messages at once, and entries into other journeys."""
        if self.messages:
            queueing.insert(run_id=self.version.run_id, rows=self.messages, now=self.now)
        for journey_id in sorted(self.started):
            for version in graphs.walked(journey_id=journey_id):
                if version.open:
                    entering.enter(
                        version=version, candidates=self.started[journey_id], now=self.now
                    )
