"""Journeys: people go through a drawn graph, each at their own pace.

    kinds, reading, definitions, shape   (pure) settings and drawings read, with every flaw named
    clock, matching    (pure) when a wait is over by a person's own clock; whether an event fits
    graph, walking     (pure) `step`: what happens to somebody at a node; a batch walked by it
    timeline           (pure) stays walked in memory along a line of time
    checking           what keeps a definition from going live, looked up in the database
    mentions           what steps say of what happened, and whether there is such an event
    versions, moving   drafts, publishing, pause, resume, close; people moved between versions
    frozen, graphs     what a version says, and what it is, kept as published
    hearing, triggers  facts told exactly once: who enters, whose wait ends, who reached the goal
    dates, entering    who comes in by the calendar; coming in, each cause once
    runner, acts       a batch of people moved on in one transaction: rows, messages, log
    asked, bandit      what steps ask about people, answered for many at once
    figures            how many wait, passed and failed at each node
    simulator          one person through a draft with a movable clock; nothing is written
    replay, replayed, past   the last days of real facts through a draft; nothing is written
    starters, recipes  ready journeys; `letters` are the mails that are made with them (`kits`)
    leaving            somebody is taken out by hand
    former_people      stays of people who were found to be somebody else

A journey is a row per person (`Enrollment`) that says where they are and when to look again. All
that a step does is written in one transaction: the move, the messages, the log. What reaches the
outside – mail, webhooks, word to colleagues – is a row of the ledger of messages.
"""
