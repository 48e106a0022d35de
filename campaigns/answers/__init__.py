"""What comes back after sending.

`hits` takes openings and clicks durably and fast, `collecting` turns them into marks and events in
batches, `humans` says how likely a person was behind one. `returned` reads bounces and complaints
that came by mail, `boxes` fetches them over IMAP, and `feedback` is what either leads to, whoever
brought the news: a mailbox, a provider's hook, or the sending line itself.
"""
