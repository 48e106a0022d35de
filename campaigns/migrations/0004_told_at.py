from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0003_membership")]
    operations = [
        migrations.AddField("adhit", "told_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "adday",
            "later",
            models.DecimalField(db_default=0, decimal_places=6, default=0, max_digits=18),
        ),
    ]
