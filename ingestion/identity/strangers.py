"""Thousands of people at once of whom one name is known and nothing else: a first import's people.

What `identify.locate` makes of each is a person and a name, so both tables are filled as text.
"""

from collections.abc import Sequence
from datetime import datetime

from ingestion.identity import guard, names
from ingestion.identity.growth import NAME_COLUMNS, PERSON_COLUMNS, copy_lines, field
from ingestion.identity.names import EXTERNAL

MANY = 500


def take_in(
    *, values: Sequence[str], source: str, now: datetime
) -> dict[str, tuple[int, int] | None]:
    """The person and the name made for each customer number; None for one that names nobody.

    Raises IntegrityError where one of them is stored already.
    """
    barred = guard.placeholders({(EXTERNAL, v): 1 for v in values}, source=source, now=now)
    wanted = sorted({value for value in values if (EXTERNAL, value) not in barred})
    people = names.new_ids("ingestion_customer", len(wanted))
    ids = names.new_ids("ingestion_identity", len(wanted))
    came, origin = now.isoformat(), field(source[:100])
    texts = [field(value) for value in wanted]
    nothing = "\t" * 7
    told = f"\\N{nothing}{{}}\t{{}}\tf\t{came}\t{came}\n"
    copy_lines(
        "ingestion_customer",
        PERSON_COLUMNS,
        [f"{key}\t{text}\t{told}" for key, text in zip(people, texts, strict=True)],
    )
    rest = f"\\N\t\\N\tf\tf\t{origin}\t{came}\t{came}\n"
    copy_lines(
        "ingestion_identity",
        NAME_COLUMNS,
        [
            f"{pk}\t{key}\t{EXTERNAL}\t{text}\t{rest}"
            for pk, key, text in zip(ids, people, texts, strict=True)
        ],
    )
    found: dict[str, tuple[int, int] | None] = dict.fromkeys(values)
    found.update(zip(wanted, zip(people, ids, strict=True), strict=True))
    return found
