"""Under what an address can stand on the list: worked out for each person, so without a look at any
table. People who stand on it themselves are found by their rows.
"""

from django.db import migrations

CREATE = """
DROP FUNCTION ingestion_known_as(text, bigint);
CREATE FUNCTION ingestion_known_as(address text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 20 AS $$
DECLARE
    domain text := split_part(address, '@', 2);
    names text[];
BEGIN
    IF address IS NULL OR address = '' THEN
        RETURN '{}';
    END IF;
    names := ARRAY[encode(sha256(convert_to(address, 'UTF8')), 'hex')];
    IF domain <> '' THEN
        names := names || domain;
        LOOP
            names := names || ('*.' || domain);
            EXIT WHEN strpos(domain, '.') = 0;
            domain := substr(domain, strpos(domain, '.') + 1);
        END LOOP;
    END IF;
    RETURN names;
END $$;
"""
UNDO = """
DROP FUNCTION ingestion_known_as(text);
CREATE FUNCTION ingestion_known_as(address text, person bigint) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT '{}'::text[] $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0005_suppression")]
    operations = [migrations.RunSQL(CREATE, UNDO)]
