from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0004_refused_sign_ins")]
    operations = [
        migrations.AddField(
            "job",
            "step_labels",
            models.JSONField(
                db_default=models.Value({}, output_field=models.JSONField()), default=dict
            ),
        )
    ]
