"""Find the events that came with a campaign's word in their address (utm_campaign).

Few events carry one, so the index is small. The word is cut: somebody else writes it, and an entry
that is too long would refuse the event.
"""

from django.db import migrations

CREATE = """
CREATE INDEX event_came_with ON ingestion_event ("left"(context->'campaign'->>'name', 100), at)
    WHERE "left"(context->'campaign'->>'name', 100) IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0006_ledger")]
    operations = [migrations.RunSQL(CREATE, "DROP INDEX event_came_with")]
