"""The tracking door, `/v1/`: what the published Segment clients and our own web tracker speak.

`calls` reads one message, `traits` what it says of a person, `commerce` the names that shops use.
`keys` says whose write key it is, `door` answers requests, `storing` puts calls into the platform.
`serving` hands out the tracker, `pages` shows keys and `snippets`.
"""
