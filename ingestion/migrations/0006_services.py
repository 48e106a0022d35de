"""Take what only looks like goods for what it is: carriage, charges and vouchers under codes like
any other, which were stored as products before their names were read."""

from typing import Any

from django.db import migrations

from ingestion.preprocess import codes


def name(apps: Any, _editor: Any) -> None:
    products = apps.get_model("ingestion", "Product")
    rows = products.objects.filter(is_goods=True).exclude(name="").values_list("pk", "name")
    services = [key for key, said in rows.iterator() if codes.is_service(said)]
    products.objects.filter(pk__in=services).update(is_goods=False)


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0005_counted")]
    operations = [migrations.RunPython(name, migrations.RunPython.noop)]
