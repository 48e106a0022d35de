"""Recipes: what is done to the rows of a source before the fixed cleaning, visible and versioned.

versions    save, find and compare; saving makes a new version, nothing is overwritten
rates       what currencies were worth, per source and day
samples     a recipe tried on the first rows of the latest file, for the editor
fixed       the cleaning that is always done, as the last part of what a person sees
wording     rules, settings, faults and differences → sentences
using       an import with its recipe: figures of the whole file first, then batch by batch
repeating   a stored file run again with another version, row for row, without doubling anything
exchanging  what a repeated row changes in the tables

`versions`, `rates`, `samples`, `fixed` and `wording` serve the web process too: no pandas there.
"""
