"""The floor under every app: people and keys, jobs, hand-offs, errors, the API's frame.

Owns User, ApiKey, AuditEntry, Job, Slot, IdempotencyKey and WorkerBeat. Read first: `jobs.py`
(leased long work), `bus.py` (hand-offs), `auth.py` (who may do what). It knows no other app.
"""
