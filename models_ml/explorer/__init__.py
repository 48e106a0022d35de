"""The tree explorer: groups of people found for any question of yes or no.

`questions` what is asked: made, changed, archived, read from JSON; `columns` what a tree may ask of
a person, each with where it comes from; `samples` people with their columns and what became of
them, dealt into two halves; `checks` what keeps a tree from being grown; `training` from a question
to a judged version; `groups` the groups in numbers, what they are worth and how many are in them.
"""
