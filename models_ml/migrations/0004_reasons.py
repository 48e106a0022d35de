from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("models_ml", "0003_refusals")]
    operations = [
        migrations.AddField(
            "modelversion",
            "reasons",
            models.JSONField(
                db_default=models.Value({}, output_field=models.JSONField()), default=dict
            ),
        )
    ]
