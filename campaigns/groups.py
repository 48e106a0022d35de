"""Segments and lists as groups of people, for the rules of what may be recommended to whom.

Named in `marketing/pipeline.py`, because recommendations know nothing of campaigns.
"""

from campaigns.models import PersonList, Segment

# SQL of (key, customer_id) for the keys in %(keys)s.
MEMBERS = """
    SELECT 'segment:' || m.segment_id AS key, m.customer_id FROM campaigns_segmentmember m
    WHERE m.segment_id = ANY(SELECT substr(k, 9)::bigint FROM unnest(%(keys)s::text[]) AS k
        WHERE k ~ '^segment:[0-9]{1,18}$')
    UNION ALL
    SELECT 'list:' || m.list_id, m.customer_id FROM campaigns_personlistmember m
    WHERE m.list_id = ANY(SELECT substr(k, 6)::bigint FROM unnest(%(keys)s::text[]) AS k
        WHERE k ~ '^list:[0-9]{1,18}$')"""


def titles() -> dict[str, str]:
    """Every group by its key, segments first."""
    segments = Segment.objects.exclude(state=Segment.State.ARCHIVED).order_by("name", "pk")
    found = {f"segment:{pk}": name for pk, name in segments.values_list("pk", "name")}
    lists = PersonList.objects.order_by("name", "pk").values_list("pk", "name")
    return found | {f"list:{pk}": name for pk, name in lists}
