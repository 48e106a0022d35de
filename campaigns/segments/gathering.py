"""Lists of people that were found by other means than a file, kept as they are now."""

from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from campaigns.models import PersonList
from ingestion.models import Customer
from marketing.core import audit
from marketing.core.errors import Invalid, TooLarge
from marketing.core.models import User

# People that are put on a list while somebody waits.
MOST = 100_000


def gather(
    *, name: str, description: str, people: QuerySet[Customer], user: User, now: datetime
) -> PersonList:
    """Keep the people found as a list, in one transaction; refused where they are very many."""
    with transaction.atomic():
        made = PersonList.objects.create(
            name=name[:120],
            description=description[:500],
            created_by=user,
            created_at=now,
            updated_at=now,
            read_at=now,
        )
        text, params = people.order_by().values("pk")[: MOST + 1].query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO campaigns_personlistmember (list_id, customer_id)"
                f" SELECT %s, found.* FROM ({text}) AS found",
                [made.pk, *params],
            )
            count = cursor.rowcount
        if count > MOST:
            raise TooLarge(
                _("More than %(most)s people cannot be kept as a list at once; none was made.")
                % {"most": f"{MOST:,}"},
                code="too_many_people",
                remedy=_("Choose moments closer together."),
            )
        if not count:
            raise Invalid(_("Nobody is there, so no list was made."), code="nobody")
        made.rows = made.people = count
        made.save(update_fields=["rows", "people"])
        audit.record(actor=user, action="list.gathered", obj=made, detail={"people": count})
    return made
