"""Clusters: people sorted into groups that are alike.

`definitions` a way of sorting: made, named, archived; `facts` what of people it looks at;
`profiles` what sets a group apart; `training` from facts to a judged version; `membership` who is
in which group, written for everyone; `reading` what pages show. Modules that pages import load no
model library: `training` is for workers.
"""
