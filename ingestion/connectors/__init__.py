"""Sources that are fetched from on a schedule, with a cursor.

base         what every kind is: its fields, a test, and rows, files or mentions from a cursor on
sql, folder, http_json, feed   the kinds; places: the file systems behind `folder`
kinds        which kinds there are, loaded when one is used
configuring  make and change a connector; secrets go in here and never come out
schedule     when the next fetch is due; begin one, at most one at a time
pulling      the job: fetch, spool, commit the cursor, hand over; resumes where it stood
spool        fetched rows on this machine's disk, durable batch by batch
mentions     posts and articles, each stored once

A fetch spools what it gets before the cursor moves on, and the spool becomes an ordinary import, so
that columns, recipe, quarantine and report are the same as for a file that somebody uploads.
"""
