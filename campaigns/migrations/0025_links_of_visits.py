from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0024_journey_waited")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="utm",
            field=models.JSONField(
                blank=True,
                db_default=models.Value({}, output_field=models.JSONField()),
                default=dict,
            ),
        ),
    ]
