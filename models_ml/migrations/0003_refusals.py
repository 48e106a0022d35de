"""Whoever says no to profiling has no score from that moment, in the transaction that says so.

A trigger sees every way in which a no may come: a page, a file, the API, a merge of two people.
Predictions are locked in one order, so that two people who say no at once never wait in a circle.
"""

from django.db import migrations

CREATE = """
CREATE FUNCTION models_ml_drop_refused() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    refused bigint[];
    gone record;
BEGIN
    SELECT array_agg(DISTINCT customer_id) INTO refused FROM after
    WHERE purpose = 'profiling' AND current AND NOT granted;
    IF refused IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE models_ml_traits SET repeat_90d = NULL, repeat_90d_leaf = NULL
    WHERE customer_id = ANY(refused) AND repeat_90d_leaf IS NOT NULL;
    -- By prediction and person, which is the key of every part.
    DELETE FROM models_ml_formerscore AS s USING models_ml_prediction AS p
    WHERE s.prediction_id = p.id AND s.customer_id = ANY(refused);
    IF EXISTS (
        SELECT FROM models_ml_prediction AS p JOIN models_ml_score AS s ON s.prediction_id = p.id
        WHERE s.customer_id = ANY(refused)
    ) THEN
        PERFORM FROM models_ml_prediction ORDER BY id FOR NO KEY UPDATE;
        FOR gone IN
            WITH dropped AS (
                DELETE FROM models_ml_score AS s USING models_ml_prediction AS p
                WHERE s.prediction_id = p.id AND s.customer_id = ANY(refused)
                RETURNING s.prediction_id)
            SELECT prediction_id, count(*) AS people FROM dropped GROUP BY prediction_id
        LOOP
            UPDATE models_ml_prediction SET scored_people = greatest(scored_people - gone.people, 0)
            WHERE id = gone.prediction_id;
        END LOOP;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER drop_refused_insert AFTER INSERT ON ingestion_consent
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION models_ml_drop_refused();
CREATE TRIGGER drop_refused_update AFTER UPDATE ON ingestion_consent
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION models_ml_drop_refused();
"""


class Migration(migrations.Migration):
    dependencies = [("models_ml", "0002_scores"), ("ingestion", "0004_changes")]
    operations = [migrations.RunSQL(CREATE, "DROP FUNCTION models_ml_drop_refused() CASCADE")]
