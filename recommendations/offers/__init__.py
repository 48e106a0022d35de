"""Who is offered what under a budget.

`suitability` says who may be offered a thing at all, `chances` how likely they take it, `worth`
what that is worth after what it gives away, `allocation` whom the money goes to; `planning` joins
them in a job and stores who gets what and why. `suitability`, `worth` and `allocation` are pure.
"""
