"""Sequence models of earlier releases cannot be read any more: they are taken out of use.

Picks made with them stay where they are until others are made.
"""

from django.db import migrations
from django.utils.translation import gettext as _


def retire(apps, schema_editor):
    apps.get_model("models_ml", "ModelVersion").objects.filter(
        name="next_product_bert4rec", state="live"
    ).update(
        state="retired",
        reason=_("Stored by an earlier release in another form. Train the recommenders again."),
    )


class Migration(migrations.Migration):
    dependencies = [("models_ml", "0003_refusals")]

    operations = [migrations.RunPython(retire, migrations.RunPython.noop)]
