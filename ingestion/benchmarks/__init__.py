"""Workloads of this app against their limits, both sides measured in the same run, interleaved.

    files      import.orders, import.events: files by their whole path against bare COPY
    doors      api.batch, api.single: requests over HTTP against a view that does almost nothing
    judging    events.judge: the plan and the list of properties against reading the events
    streaming  ingest.sustained: minutes of events, stored, deduplicated and identified
    flooding   source.flood: a source far above its limit, and what the others notice
    job_process  a job alone in a process, for its seconds and its memory
    serving    the web server and the worker that these need, as processes of their own
    sending    a client that costs little, with bodies made beforehand
    bare       the views that serve as limits and as the peer
    workloads  the names under which they run
    measuring  one line per workload, and the guard against a database that is in use

They empty and fill the tables of facts, so they refuse to run in a database that holds any.
"""
