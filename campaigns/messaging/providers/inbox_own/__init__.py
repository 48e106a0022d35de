"""The inbox that a site or app shows its people: a message is a row, read through the API."""

import secrets
from collections.abc import Mapping

import orjson
from django.db import DatabaseError
from django.utils import timezone
from django.utils.translation import gettext_lazy

from campaigns.messaging.providers import base
from campaigns.messaging.providers.base import Answer, Connection, Field, Outgoing, Verdict
from campaigns.models import InboxItem
from ingestion.models import Customer


class Provider(base.Provider):
    kind = "inbox"
    label = gettext_lazy("In-app inbox")
    about = gettext_lazy("Messages that your site or app shows to somebody signed in there.")
    fields = (
        Field(
            "secret",
            gettext_lazy("Secret for people's tokens"),
            secret=True,
            made=True,
        ),
    )

    @classmethod
    def make(cls) -> dict[str, str]:
        return {"secret": secrets.token_urlsafe(32)}

    @classmethod
    def connect(cls, given: Mapping[str, str]) -> Connection:
        return Inbox()


class Inbox:
    """The recipient is our own number of a person."""

    def send(self, outgoing: Outgoing) -> Answer:
        said = orjson.loads(outgoing.body)
        person = Customer.every.filter(pk=int(outgoing.recipient)).values_list("pk").first()
        if person is None:
            return Answer(Verdict.FAILED, "there is no such person any more")
        try:
            # A repeat finds its own row: one message, however often it is tried.
            InboxItem.objects.bulk_create(
                [
                    InboxItem(
                        key=outgoing.key,
                        customer_id=person[0],
                        title=said["title"],
                        body=said.get("body", ""),
                        url=said.get("url", ""),
                        icon=said.get("icon", ""),
                        created_at=timezone.now(),
                    )
                ],
                ignore_conflicts=True,
            )
        except DatabaseError as error:
            return Answer(Verdict.RETRY, str(error)[:300])
        return Answer(Verdict.SENT, ref=outgoing.key)

    def close(self) -> None:
        """Nothing is kept open."""
