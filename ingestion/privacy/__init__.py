"""What people may ask of us about their data, and how long anything is kept.

subjects: every name of one person · holdings: what our tables keep of people · confirmations:
double opt-in · requests: the queue with its deadline · exports: a copy for the person · sweeping:
files, caches and texts after an erasure · ledger: receipts, and erasures done again on a restored
backup · retention: what goes when · storage: how large the tables are · tokens: signed links.
`ingestion.consent` answers 'may we?', `ingestion.erasure` forgets a person.
"""
