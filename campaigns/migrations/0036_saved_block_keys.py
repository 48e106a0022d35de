"""Saved blocks get a key, by which mails in MJML and HTML name them."""

from django.db import migrations, models
from django.utils.text import slugify


def name_them(apps, schema_editor):
    """A key of each name, and a number behind it where two would be alike."""
    taken = set()
    for block in apps.get_model("campaigns", "SavedBlock").objects.order_by("pk"):
        base = slugify(block.name, allow_unicode=True)[:50].strip("-_") or "block"
        key, number = base, 1
        while key in taken:
            number += 1
            key = f"{base}-{number}"
        taken.add(key)
        block.key = key
        block.save(update_fields=["key"])


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0035_seeds")]

    operations = [
        migrations.AddField("savedblock", "key", models.CharField(max_length=60, null=True)),
        migrations.RunPython(name_them, migrations.RunPython.noop),
        migrations.AlterField("savedblock", "key", models.CharField(max_length=60, unique=True)),
    ]
