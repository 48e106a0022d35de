"""Who wrote a change, and the writes that note themselves.

Readers ask for rows whose transaction they have not seen, so nothing is lost when transactions end
in another order than they began. Arrays of ids live for minutes: packing them would cost more.
Events note themselves where they are copied (`ingestion.changes`): a trigger that sees new rows
would make COPY into a split table write them one by one.
"""

from django.db import migrations

CREATE = """
ALTER TABLE ingestion_change ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ALTER people SET STORAGE EXTERNAL,
    SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
         autovacuum_vacuum_insert_threshold = -1);
CREATE INDEX change_xid ON ingestion_change (xid);

CREATE FUNCTION ingestion_note(kind text, what text, people bigint[]) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO ingestion_change (kind, what, people)
    SELECT kind, what, people WHERE cardinality(people) > 0
$$;

CREATE FUNCTION ingestion_note_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM ingestion_note('people', '', array_agg(id)) FROM after;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM ingestion_note('people', '', array_agg(id)) FROM before;
    ELSE
        PERFORM ingestion_note('people', '', array_agg(DISTINCT n.id))
        FROM after a JOIN before b ON b.id = a.id
        CROSS JOIN LATERAL unnest(ARRAY[a.id, a.merged_into_id, b.merged_into_id]) AS n (id)
        WHERE a.merged_into_id IS DISTINCT FROM b.merged_into_id AND n.id IS NOT NULL;
        PERFORM ingestion_note('person', '', array_agg(a.id))
        FROM after a JOIN before b ON b.id = a.id
        WHERE (a.email, a.phone, a.country, a.language, a.timezone,
               a.first_name, a.last_name, a.external_id, a.first_seen_at, a.created_at, a.is_demo)
           IS DISTINCT FROM
              (b.email, b.phone, b.country, b.language, b.timezone,
               b.first_name, b.last_name, b.external_id, b.first_seen_at, b.created_at, b.is_demo)
           OR a.attributes IS DISTINCT FROM b.attributes;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ingestion_note_owner() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(DISTINCT customer_id) INTO found FROM after;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(DISTINCT customer_id) INTO found FROM before;
    ELSE
        SELECT array_agg(customer_id) INTO found
        FROM (SELECT customer_id FROM after UNION SELECT customer_id FROM before) both_;
    END IF;
    IF found IS NOT NULL THEN
        INSERT INTO ingestion_change (kind, people) VALUES (TG_ARGV[0], found);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ingestion_note_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO ingestion_change (kind, what, people)
        SELECT 'event', type, array_agg(DISTINCT customer_id) FROM before
        WHERE customer_id IS NOT NULL GROUP BY type;
    ELSE
        INSERT INTO ingestion_change (kind, what, people)
        SELECT 'event', type, array_agg(customer_id)
        FROM (SELECT type, customer_id FROM after UNION SELECT type, customer_id FROM before) both_
        WHERE customer_id IS NOT NULL GROUP BY type;
    END IF;
    RETURN NULL;
END $$;

-- Whom a domain or a hash concerns is not looked up: everybody is looked at again.
CREATE FUNCTION ingestion_note_addresses() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found bigint[];
    named bigint[];
    wider boolean;
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT ingestion_holders(
                array_agg(address) FILTER (WHERE kind = 'address' AND channel = 'email'),
                array_agg(address) FILTER (WHERE kind = 'address' AND channel <> 'email')),
            array_agg(customer_id) FILTER (WHERE customer_id IS NOT NULL),
            bool_or(kind IN ('domain', 'sha256'))
        INTO found, named, wider FROM before;
    ELSE
        SELECT ingestion_holders(
                array_agg(address) FILTER (WHERE kind = 'address' AND channel = 'email'),
                array_agg(address) FILTER (WHERE kind = 'address' AND channel <> 'email')),
            array_agg(customer_id) FILTER (WHERE customer_id IS NOT NULL),
            bool_or(kind IN ('domain', 'sha256'))
        INTO found, named, wider FROM after;
    END IF;
    IF wider THEN
        INSERT INTO ingestion_change (kind, people) VALUES ('consent', NULL);
    ELSIF (found || named) IS NOT NULL THEN
        INSERT INTO ingestion_change (kind, people) VALUES ('consent', found || named);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ingestion_holders(emails text[], phones text[]) RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
DECLARE found bigint[];
BEGIN
    IF emails IS NOT NULL THEN
        SELECT array_agg(id) INTO found FROM ingestion_customer WHERE email = ANY(emails);
    END IF;
    IF phones IS NOT NULL THEN
        SELECT found || array_agg(id) INTO found FROM ingestion_customer WHERE phone = ANY(phones);
    END IF;
    RETURN found;
END $$;

CREATE FUNCTION ingestion_note_product() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM after a JOIN before b ON b.id = a.id
        WHERE (a.sku, a.name, a.category, a.is_goods) IS DISTINCT FROM
              (b.sku, b.name, b.category, b.is_goods) OR a.attributes IS DISTINCT FROM b.attributes
    ) THEN
        INSERT INTO ingestion_change (kind) VALUES ('product');
    END IF;
    RETURN NULL;
END $$;
"""


def _triggers() -> str:
    said = []
    for table, function, argument, when in (
        ("ingestion_customer", "ingestion_note_person", "", "INSERT UPDATE DELETE"),
        ("ingestion_customerrollup", "ingestion_note_owner", "'orders'", "INSERT UPDATE DELETE"),
        ("ingestion_consent", "ingestion_note_owner", "'consent'", "INSERT UPDATE DELETE"),
        ("ingestion_suppression", "ingestion_note_addresses", "", "INSERT UPDATE DELETE"),
        ("ingestion_event", "ingestion_note_events", "", "UPDATE DELETE"),
        ("ingestion_product", "ingestion_note_product", "", "UPDATE"),
    ):
        for operation in when.split():
            rows = {
                "INSERT": "NEW TABLE AS after",
                "UPDATE": "OLD TABLE AS before NEW TABLE AS after",
                "DELETE": "OLD TABLE AS before",
            }[operation]
            said.append(
                f"CREATE TRIGGER note_{operation.lower()} AFTER {operation} ON {table}"
                f" REFERENCING {rows} FOR EACH STATEMENT EXECUTE FUNCTION {function}({argument});"
            )
    return "\n".join(said)


UNDO = """
DROP FUNCTION ingestion_note(text, text, bigint[]) CASCADE;
DROP FUNCTION ingestion_note_person() CASCADE;
DROP FUNCTION ingestion_note_owner() CASCADE;
DROP FUNCTION ingestion_note_events() CASCADE;
DROP FUNCTION ingestion_note_addresses() CASCADE;
DROP FUNCTION ingestion_note_product() CASCADE;
DROP FUNCTION ingestion_holders(text[], text[]);
ALTER TABLE ingestion_change DROP COLUMN xid;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0003_privacy")]
    operations = [migrations.RunSQL(CREATE + _triggers(), UNDO)]
