"""Segments: rules about people and who they mean.

Read first: `rules.py` (the grammar), `fields.py` (what a rule may name), `compile.py` (rule to
SQL). `membership.py` counts and finds, `definitions.py` keeps, `leaves.py` makes rules of tree
leaves. A name that is not in `fields.py` cannot reach the database.
"""
