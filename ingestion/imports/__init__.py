"""Files on their way in: received, mapped, then stored chunk by chunk.

uploads   receive a file, look at it, take the mapping, start the job
running   the job: chunks, each one transaction that also moves the ledger; resumes where it stood
orders, customers, products, events   one chunk of clean rows → tables, set-based
finishing what can only be known at the end: outliers, matched returns, rollups
rejects   quarantined lines: stored raw, and handed back as a CSV
wording   codes of rules, faults and problems → sentences

`uploads`, `rejects` and `wording` are used by the web process and import no pandas.
"""
