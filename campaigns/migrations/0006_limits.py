from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0005_levels")]
    operations = [
        migrations.AddField(
            "trial",
            "learner",
            models.CharField(
                choices=[
                    ("lints", "By draws (LinTS)"),
                    ("linucb", "By the upper bound (LinUCB)"),
                ],
                db_default="lints",
                default="lints",
                max_length=6,
            ),
        ),
        migrations.AddField(
            "variant",
            "limit",
            models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True),
        ),
        migrations.AddConstraint(
            "variant",
            models.CheckConstraint(
                condition=models.Q(("limit", None), ("limit__gt", 0), _connector="OR"),
                name="variant_limit_positive",
            ),
        ),
        migrations.AddField(
            "round",
            "spent",
            models.JSONField(
                db_default=models.Value([], output_field=models.JSONField()), default=list
            ),
        ),
    ]
