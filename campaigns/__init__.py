"""Messages: segments, content, campaigns, and each mail's life.

Owns Segment, SegmentSize, Template, Campaign, Run, Message and MessageBody. Read first:
`segments/rules.py`, `sending/runs.py`, `messaging/delivery.py`. Nothing to its left may know it.
"""
