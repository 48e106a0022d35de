"""From a message row to a mail in a mailbox.

Read first: delivery and pump (claim, write, send, mark), grammar (what a template may say),
rendering (one person's mail), mime (bytes). links, layout, markup and seams are pure like them.
providers talk to the outside; tracking hears back from it. Nothing here decides who is written to:
that is runs and audience.
"""
