"""Who is in which segment, and the writes of lists and messages that note whom they concern."""

import django.contrib.postgres.indexes
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

-- A message that waits or is being sent answers no question yet, so its steps are not told.
CREATE FUNCTION campaigns_note_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(DISTINCT customer_id) INTO found FROM after
        WHERE state NOT IN ('queued', 'sending');
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(DISTINCT customer_id) INTO found FROM before
        WHERE state NOT IN ('queued', 'sending');
    ELSE
        SELECT array_agg(DISTINCT n.id) INTO found
        FROM after a JOIN before b ON b.id = a.id
        CROSS JOIN LATERAL unnest(ARRAY[a.customer_id, b.customer_id]) AS n (id)
        WHERE (replace(a.state, 'sending', 'queued'), a.reason, a.customer_id, a.channel,
               a.sent_at, a.opened_at, a.clicked_at)
           IS DISTINCT FROM
              (replace(b.state, 'sending', 'queued'), b.reason, b.customer_id, b.channel,
               b.sent_at, b.opened_at, b.clicked_at);
    END IF;
    IF found IS NOT NULL THEN
        PERFORM ingestion_note('message', '', found);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_insert AFTER INSERT ON campaigns_message
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION campaigns_note_message();
CREATE TRIGGER note_update AFTER UPDATE ON campaigns_message
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION campaigns_note_message();
CREATE TRIGGER note_delete AFTER DELETE ON campaigns_message
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION campaigns_note_message();
"""
UNDO = """
DROP FUNCTION campaigns_note_list() CASCADE;
DROP FUNCTION campaigns_note_message() CASCADE;
"""


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
                ('cause', models.CharField(choices=[('rule', 'Rule'), ('change', 'Change'), ('time', 'Time'), ('erased', 'Erased')], max_length=6)),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='segment_moves', to='ingestion.customer')),
                ('segment', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='moves', to='campaigns.segment')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [
                    models.Index(fields=['segment', 'id'], name='segment_move'),
                    models.Index(condition=models.Q(('cause', 'rule'), _negated=True), fields=['segment', 'at'], include=('entered',), name='segment_move_at'),
                    django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['at'], name='move_at', pages_per_range=32),
                ],
            },
        ),
        migrations.RunSQL(NOTE, UNDO),
    ]
