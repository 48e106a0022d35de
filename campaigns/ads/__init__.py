"""Ads: what is shown where, what came of it, what it may cost, and who is told to networks.

    hashing      (pure) files of people as networks want them
    pacing       (pure) a day's money along the day's own traffic
    delays       (pure) how long answers take, and how many are still to come
    features     (pure) what is known of an impression, and the chance a small table gives it
    permission   whom ads may know of: the purpose "ads"
    defining     campaigns, creatives and placements, made and changed
    reading      impressions, clicks and conversions from JSON
    storing      each once, set by set; sums by hour and by day
    choosing     which creative for this placement and person now
    steering     the controller's rounds: what today may cost, how often to show
    sharing      the bandit's rounds: which creative how often, and what that is worth
    learning     (worker) models of clicks and conversions, held against plain rates
    trainings    when those are learned again
    exporting    lists of people for networks
    figures      numbers of pages and files
    simulated    a log whose truth is known
    demo         a small campaign for the demo shop

Nothing here sends anything to a network: costs and answers come in, lists are taken by hand.
"""
