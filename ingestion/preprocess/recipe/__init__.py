"""A recipe: the rules by which the columns of a source are changed before the fixed cleaning.

nodes        the rules, frozen, with what each of their settings may be
parsing      JSON → rules, refused with the path of the fault
expressions  the small language of “derive” and “drop”: typed, no eval
functions    what an expression may call
frames       columns with the rows that are still in, and what a rule did to them
cells        rules that look at one text at a time
rows         rules that look at several columns or at whole rows
measures     numbers: units, currencies, outliers, filling gaps
statistics   what can only be known from the whole file, gathered in one pass before
supply       which columns there are once a recipe has run
applying     one batch through all rules

Nothing here knows a database. The same recipe, context and batch always give the same rows.
"""
