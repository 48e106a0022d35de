"""The writes of lists and messages note whom they concern."""

from django.db import migrations

NOTE = """
CREATE FUNCTION campaigns_note_list() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM ingestion_note('list', list_id::text, array_agg(customer_id))
        FROM after GROUP BY list_id;
    ELSE
        PERFORM ingestion_note('list', list_id::text, array_agg(customer_id))
        FROM before GROUP BY list_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_insert AFTER INSERT ON campaigns_personlistmember
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION campaigns_note_list();
CREATE TRIGGER note_delete AFTER DELETE ON campaigns_personlistmember
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION campaigns_note_list();

-- A message that waits or is being sent answers no question yet, so its steps are not told.
CREATE FUNCTION campaigns_note_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(DISTINCT customer_id) INTO found FROM after
        WHERE state NOT IN ('queued', 'sending');
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(DISTINCT customer_id) INTO found FROM before
        WHERE state NOT IN ('queued', 'sending');
    ELSE
        SELECT array_agg(DISTINCT n.id) INTO found
        FROM after a JOIN before b ON b.id = a.id
        CROSS JOIN LATERAL unnest(ARRAY[a.customer_id, b.customer_id]) AS n (id)
        WHERE (replace(a.state, 'sending', 'queued'), a.reason, a.customer_id, a.channel,
               a.sent_at, a.opened_at, a.clicked_at)
           IS DISTINCT FROM
              (replace(b.state, 'sending', 'queued'), b.reason, b.customer_id, b.channel,
               b.sent_at, b.opened_at, b.clicked_at);
    END IF;
    IF found IS NOT NULL THEN
        PERFORM ingestion_note('message', '', found);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_insert AFTER INSERT ON campaigns_message
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION campaigns_note_message();
CREATE TRIGGER note_update AFTER UPDATE ON campaigns_message
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION campaigns_note_message();
CREATE TRIGGER note_delete AFTER DELETE ON campaigns_message
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION campaigns_note_message();
"""
UNDO = """
DROP FUNCTION campaigns_note_list() CASCADE;
DROP FUNCTION campaigns_note_message() CASCADE;
"""


class Migration(migrations.Migration):
    replaces = [("campaigns", "0007_membership")]
    dependencies = [("campaigns", "0002_calendar"), ("ingestion", "0004_changes")]
    operations = [migrations.RunSQL(NOTE, UNDO)]
