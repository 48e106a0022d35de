"""HMAC-SHA256 of a text in SQL, with the key that the session was given when it began."""

from django.db import migrations

CREATE = """
CREATE FUNCTION ingestion_digest(value text) RETURNS bytea
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT sha256(decode(current_setting('perennial.outer'), 'hex')
        || sha256(decode(current_setting('perennial.inner'), 'hex') || convert_to(value, 'UTF8')))
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0002_events")]
    operations = [migrations.RunSQL(CREATE, "DROP FUNCTION ingestion_digest(text)")]
