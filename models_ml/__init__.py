"""What is learned about people and products.

algorithms   pure methods: numbers in, numbers out; no Django
features     what is known of people as of a moment, and what came after
registry     versions of models: stored, judged, promoted, taken back
predictions  a question about each person, from asking to everybody's score; `engines` answer it
explorer     the tree on any target
clusters     groups of people that hold
demand       how much of each product will be sold
insights     bands, stages and cohorts of the shop's people
jobs         long work, a module a kind; `tasks` are the Celery doors
api, views   for programs and for people
benchmarks   workloads beside their limits
"""
