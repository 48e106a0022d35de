"""How good the facts are, measured every day, with what is wrong, since when, and who is touched.

fields         the columns that are looked at, and what can be wrong with each
statistics     medians against outages, habits against silence (pure)
measuring      the day's figures in a few set-based questions, and the score
signals        what the measured figures say is wrong: a drop, an outage, a silence
expectations   what somebody wants to be true
checks         the same asked of the rows, by the same columns
suggestions    what holds now and could be expected to stay
problems       what is wrong becomes one row from its beginning to its end
uses           which segments, models and campaigns use a field (asked of the apps above)
holds          which problems keep something from being sent
alerts         who is told, once at the beginning and once at the end
listing        what the pages show
wording        a problem in words, with its remedy
"""
