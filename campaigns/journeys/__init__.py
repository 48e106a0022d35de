"""Journeys: people go through a drawn graph, each at their own pace.

    kinds      (pure) what a node may be: its settings, and how many ways lead out of it
    reading    (pure) settings read from JSON; faults name the node and the field
    clock      (pure) when a wait is over, in a person's own time zone
    graph      (pure) a definition read whole, and `step`: what happens to somebody at a node
    checking   what keeps a definition from going live, looked up in the database
    versions   drafts, publishing, pause, resume, close, moving people, differences
    triggers   who enters, and who heard what they waited for
    runner     a batch of people moved on in one transaction: rows, messages, log
    figures    how many wait, passed and failed at each node
    simulator  one person through a draft with a movable clock; nothing is written
    replay     the last days of real events through a draft; nothing is written
    starters   ready journeys

A journey is a row per person (`Enrollment`) that says where they are and when to look again. All
that a step does is written in one transaction: the move, the messages, the log. What reaches the
outside – mail, webhooks, word to colleagues – is a row of the ledger of messages.
"""
