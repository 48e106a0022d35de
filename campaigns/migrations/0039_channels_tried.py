from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0038_pace_mark'),
    ]

    operations = [
        migrations.AddField(
            model_name='message',
            name='chance',
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='message',
            name='reach',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='round',
            name='sets',
            field=models.JSONField(db_default=models.Value({}, output_field=models.JSONField()), default=dict),
        ),
        migrations.AddField(
            model_name='spend',
            name='channel',
            field=models.CharField(blank=True, db_default='', default='', max_length=10),
        ),
        migrations.AddConstraint(
            model_name='message',
            constraint=models.UniqueConstraint(condition=models.Q(('reach', ''), _negated=True), fields=('run', 'customer', 'entry', 'step'), name='message_by_one_channel'),
        ),
    ]
