"""A list for a network in a process of its own, as a worker has it: its seconds and its memory.

`python -m campaigns.benchmarks.ads_process written ID`, or `by_hand` for the same people read and
hashed without anything of ours.
"""

import csv
import hashlib
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import django

from ingestion.benchmarks import job_process

_BY_HAND = """
SELECT c.email, c.first_name, c.last_name, c.country FROM ingestion_customer c
JOIN ingestion_consent k ON k.customer_id = c.id AND k.channel = 'email' AND k.purpose = 'ads'
    AND k.current AND k.granted
WHERE c.merged_into_id IS NULL AND c.email <> ''"""


def main(arguments: list[str]) -> None:
    django.setup()
    exporting = import_module("campaigns.ads.exporting")
    exports = import_module("campaigns.models").AdExport
    began = time.perf_counter()
    found: dict[str, Any] = {}
    if arguments[0] == "by_hand":
        _hash_by_hand()
    else:
        row = exports.objects.get(pk=arguments[1])
        made = exporting.write(
            export=row, report=lambda *_: None, now=import_module("django.utils.timezone").now()
        )
        found = {"people": made.people, "bytes": made.size}
    found |= {"seconds": time.perf_counter() - began, "memory_mb": job_process.peak()}
    sys.stdout.write(json.dumps(found) + "\n")


def _hash_by_hand() -> None:
    database = import_module("django.db")
    with database.transaction.atomic():
        line = database.connection.connection.cursor(name="hand")
        line.itersize = 2_000
        line.execute(_BY_HAND)
        with Path("/dev/null").open("w") as out:
            write = csv.writer(out).writerow
            for row in line:
                write([hashlib.sha256(cell.lower().encode()).hexdigest() for cell in row])


if __name__ == "__main__":
    main(sys.argv[1:])
