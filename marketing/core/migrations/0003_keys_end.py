from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0002_audit_guard")]
    operations = [
        migrations.AlterField(
            "apikey",
            "created_by",
            models.ForeignKey(
                settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+"
            ),
        ),
    ]
