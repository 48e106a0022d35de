"""Picks: which products to show to whom, and why.

    models      placements, sets of picks, links between products, visitors
    rules       (pure) what may be shown
    pairs       (pure, worker) which products go together
    placements  who gets which engine where, as rows say it now
    candidates  what engines propose for everybody; build: everybody's picks, written and switched
    links       (worker) links between products, counted and switched
    visits      who asks, and what they looked at lately
    gathering   what an engine has for a visit; live: what the rules leave of it
    serve       stored picks, for pages and mails
    defining    placements made and changed; preview: what other rules would change
    outcomes    what came of a placement; health: how fit the catalogue is
    evaluate    the engines on the same exam

It must not know who shows the picks.
"""
