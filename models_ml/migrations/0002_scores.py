"""Scores are split by prediction, so that everybody's can be replaced at once.

The key holds the numbers too: a rule about a score is answered from the index alone. Rows written
one by one lie in the rest; a set that is written whole gets a part of its own. What the version
before said is kept in a table of the same shape.
"""

from django.db import migrations

CREATE = """
DROP TABLE models_ml_score;
CREATE TABLE models_ml_score (
    prediction_id bigint NOT NULL,
    customer_id bigint NOT NULL,
    value double precision NOT NULL,
    low double precision,
    high double precision,
    percentile smallint NOT NULL,
    version_id bigint NOT NULL,
    PRIMARY KEY (prediction_id, customer_id) INCLUDE (value, percentile)
) PARTITION BY LIST (prediction_id);
CREATE TABLE models_ml_score_rest PARTITION OF models_ml_score DEFAULT;
CREATE TABLE models_ml_formerscore (
    LIKE models_ml_score, PRIMARY KEY (prediction_id, customer_id) INCLUDE (value, percentile)
) PARTITION BY LIST (prediction_id);
"""


class Migration(migrations.Migration):
    dependencies = [("models_ml", "0001_first_release")]
    operations = [migrations.RunSQL(CREATE, migrations.RunSQL.noop)]
