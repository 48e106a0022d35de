"""A person's picks lie in one row, best first, and reasons are worded when they are read.

What was chosen before goes along, so that it serves until products are chosen anew.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import recommendations.models

CARRY = """
SET LOCAL statement_timeout = 0;
INSERT INTO recommendations_picklist (set_id, customer_id, products, scores, whys, anchors)
SELECT set_id, customer_id, array_agg(product_id ORDER BY rank),
    array_agg(score::real ORDER BY rank),
    array_agg((CASE reason->>'code' WHEN 'because' THEN 1 WHEN 'popular' THEN 2 WHEN 'taste' THEN 3
        WHEN 'new' THEN 4 ELSE 0 END)::smallint ORDER BY rank),
    array_agg(coalesce((reason->>'product_id')::bigint, -1) ORDER BY rank)
FROM recommendations_recommendation GROUP BY set_id, customer_id ORDER BY set_id, customer_id
"""
BACK = """
SET LOCAL statement_timeout = 0;
INSERT INTO recommendations_recommendation (set_id, customer_id, rank, product_id, score, reason)
SELECT r.set_id, r.customer_id, x.rank, x.product_id, x.score, CASE
    WHEN x.why IN (1, 4) AND a.id IS NOT NULL THEN jsonb_build_object(
        'code', CASE x.why WHEN 1 THEN 'because' ELSE 'new' END, 'product_id', a.id,
        'name', coalesce(nullif(a.name, ''), a.sku))
    WHEN x.why = 0 THEN '{}'::jsonb
    ELSE jsonb_build_object('code', (ARRAY['taste', 'popular', 'taste', 'new'])[x.why]) END
FROM recommendations_picklist r
CROSS JOIN unnest(r.products, r.scores, r.whys, r.anchors)
    WITH ORDINALITY AS x (product_id, score, why, anchor_id, rank)
JOIN ingestion_product p ON p.id = x.product_id
LEFT JOIN ingestion_product a ON a.id = x.anchor_id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ingestion", "0001_first_release"),
        ("recommendations", "0001_first_release"),
    ]

    operations = [
        migrations.CreateModel(
            name="PickList",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "set_id",
                        "customer_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "set",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lists",
                        to="recommendations.recommendationset",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="ingestion.customer",
                    ),
                ),
                (
                    "products",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), size=None
                    ),
                ),
                (
                    "scores",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=recommendations.models.RealField(), size=None
                    ),
                ),
                (
                    "whys",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SmallIntegerField(), size=None
                    ),
                ),
                (
                    "anchors",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), size=None
                    ),
                ),
            ],
        ),
        migrations.RunSQL(CARRY, BACK),
        migrations.DeleteModel(name="Recommendation"),
    ]
