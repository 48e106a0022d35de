"""From a message row to a mail in a mailbox.

Read first: delivery (claim, render, send, mark), rendering (what a template may do), mime (bytes).
links and layout are pure like them. providers talk to the outside; tracking hears back from it.
Nothing here decides who is written to: that is runs and audience.
"""
