"""Pages of recommendations.

engines     how the engines compare, and what each would show one person
placements  where picks are shown: list, rules with a preview of what they change, results
trying      a visit typed by hand with every engine's picks; how fit the products are
    widget      the script that shows picks on a shop's own pages
"""
