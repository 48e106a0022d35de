import django.db.models.deletion
from django.db import migrations, models

# Segments that were brought equally far share a level from now on.
SHARE = """
INSERT INTO campaigns_segmentlevel (position, as_of, looked_at)
SELECT DISTINCT position, as_of, looked_at FROM campaigns_segmentupkeep;
UPDATE campaigns_segmentupkeep u SET level_id = l.id FROM campaigns_segmentlevel l
WHERE (l.position, l.as_of, l.looked_at) = (u.position, u.as_of, u.looked_at);
"""
# The way back forgets how far they were brought: they are looked at as a whole once more.
FORGET = "DELETE FROM campaigns_segmentupkeep"


def level(**how: bool) -> models.Field:
    return models.ForeignKey(
        "campaigns.segmentlevel", django.db.models.deletion.PROTECT, related_name="upkeeps", **how
    )


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0004_told_at")]
    operations = [
        migrations.CreateModel(
            name="SegmentLevel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.TextField()),
                ("as_of", models.DateTimeField()),
                ("looked_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField("segmentupkeep", "level", level(null=True)),
        migrations.RunSQL(SHARE, migrations.RunSQL.noop),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL IMMEDIATE"),
        migrations.AlterField("segmentupkeep", "level", level()),
        migrations.RemoveField("segmentupkeep", "position"),
        migrations.RemoveField("segmentupkeep", "as_of"),
        migrations.RemoveField("segmentupkeep", "looked_at"),
        migrations.RunSQL(migrations.RunSQL.noop, FORGET),
    ]
