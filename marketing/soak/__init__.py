"""A day of a shop's work in an hour: who asks what (`shop`, through `client`), what is looked at
meanwhile (`watching`), what must have arrived in the end (`counts`), and what follows from it
(`verdict`). `marketing.bench_soak` runs it.
"""
