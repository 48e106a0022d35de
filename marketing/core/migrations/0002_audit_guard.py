"""The audit trail is only ever added to, whoever asks: a trigger says so, not the code alone.

Two settings of a transaction open it, and no further than their purpose needs. An erasure may
blacken texts, never who did what and when; retention may remove. Without either, an entry may only
lose the link to an account that was deleted. Links of the chain never change at all.
"""

from django.db import migrations

CREATE = """
CREATE FUNCTION core_audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF current_setting('perennial.letting_go', true) = 'on' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'The audit trail is only ever added to: entry % stays.', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.id, NEW.at, NEW.actor_label, NEW.action, NEW.object_type, NEW.object_id)
        IS DISTINCT FROM
       (OLD.id, OLD.at, OLD.actor_label, OLD.action, OLD.object_type, OLD.object_id)
       OR (NEW.actor_id IS DISTINCT FROM OLD.actor_id AND NEW.actor_id IS NOT NULL)
    THEN
        RAISE EXCEPTION 'The audit trail is only ever added to: entry % stays.', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.object_label = OLD.object_label AND NEW.detail = OLD.detail
       AND NEW.erased_at IS NOT DISTINCT FROM OLD.erased_at
    THEN
        RETURN NEW;
    END IF;
    IF current_setting('perennial.erasing', true) = 'on'
       AND (NEW.object_label = OLD.object_label OR NEW.object_label = ''
            OR position('[…]' IN NEW.object_label) > 0)
       AND (NEW.detail = OLD.detail OR position('[…]' IN NEW.detail::text) > 0)
    THEN
        NEW.erased_at := clock_timestamp();
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'The audit trail is only ever added to: entry % stays.', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_guard BEFORE UPDATE OR DELETE ON core_auditentry
    FOR EACH ROW EXECUTE FUNCTION core_audit_guard();
CREATE FUNCTION core_seal_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The chain over the audit trail is only ever added to: link % stays.', OLD.n
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER seal_guard BEFORE UPDATE OR DELETE ON core_auditseal
    FOR EACH ROW EXECUTE FUNCTION core_seal_guard();
"""
UNDO = """
DROP FUNCTION core_audit_guard() CASCADE;
DROP FUNCTION core_seal_guard() CASCADE;
"""


class Migration(migrations.Migration):
    replaces = [("core", "0004_audit_guard")]
    dependencies = [("core", "0001_first_release")]
    operations = [migrations.RunSQL(CREATE, UNDO)]
