"""Files on their way in: received, mapped, then stored chunk by chunk.

storage   the folder where files lie, and writing one into it
uploads   receive a file, recognise it, register an import of it
choosing  how it is read: looked at, columns mapped, choices taken
starting  start the job, try it out, or give it up
matching  which column fills which field, and what was chosen for such a file before
trial     a dry run: the real path, each chunk rolled back
archive   raw files: packed, pruned, and rid of a person on request
demo      the shipped history, taken in by the same path as a file of one's own
running   the job: chunks, each one transaction that also moves the ledger; resumes where it stood
orders, customers, products, events   one chunk of clean rows → tables, set-based
planned   the events of a chunk against the tracking plan, before any is stored
finishing what can only be known at the end: outliers, matched returns, rollups
rejects   quarantined lines: stored raw, handed back as a CSV, taken back when mended
wording   codes of rules, faults and problems → sentences

`uploads`, `choosing`, `starting`, `demo`, `rejects` and `wording` serve the web process too and
import no pandas.
"""

from ingestion.imports.choosing import choose, look
from ingestion.imports.demo import begin_demo
from ingestion.imports.starting import start
from ingestion.imports.uploads import receive, register

__all__ = ["begin_demo", "choose", "look", "receive", "register", "start"]
