"""Who is in which segment, and whoever is put on a list or taken off it told as changed."""

import django.db.models.deletion
from django.db import migrations, models

NOTE = """
CREATE FUNCTION campaigns_note_list() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM ingestion_note('list', list_id::text, array_agg(customer_id))
        FROM after GROUP BY list_id;
    ELSE
        PERFORM ingestion_note('list', list_id::text, array_agg(customer_id))
        FROM before GROUP BY list_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_insert AFTER INSERT ON campaigns_personlistmember
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION campaigns_note_list();
CREATE TRIGGER note_delete AFTER DELETE ON campaigns_personlistmember
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION campaigns_note_list();
"""
UNDO = "DROP FUNCTION campaigns_note_list() CASCADE"


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0006_calendar'),
        ('ingestion', '0004_changes'),
    ]

    operations = [
        migrations.CreateModel(
            name='SegmentUpkeep',
            fields=[
                ('segment', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='upkeep', serialize=False, to='campaigns.segment')),
                ('signature', models.CharField(max_length=32)),
                ('position', models.TextField()),
                ('as_of', models.DateTimeField()),
                ('looked_at', models.DateTimeField()),
                ('built_at', models.DateTimeField()),
                ('people', models.BigIntegerField(default=0)),
                ('fault', models.CharField(blank=True, max_length=300)),
            ],
            options={
                'verbose_name_plural': 'segment upkeep',
            },
        ),
        migrations.CreateModel(
            name='SegmentMember',
            fields=[
                ('pk', models.CompositePrimaryKey('segment', 'customer', blank=True, editable=False, primary_key=True, serialize=False)),
                ('since', models.DateTimeField()),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='ingestion.customer')),
                ('segment', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='members', to='campaigns.segment')),
            ],
        ),
        migrations.CreateModel(
            name='SegmentMove',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('entered', models.BooleanField()),
                ('at', models.DateTimeField()),
                ('cause', models.CharField(choices=[('rule', 'Rule'), ('change', 'Change'), ('time', 'Time')], max_length=6)),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='segment_moves', to='ingestion.customer')),
                ('segment', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='moves', to='campaigns.segment')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['segment', 'id'], name='segment_move')],
            },
        ),
        migrations.RunSQL(NOTE, UNDO),
    ]
