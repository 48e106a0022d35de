"""The tables of what the shop knows, as the first release has them."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
import ingestion.models.webhooks
import uuid
from django.conf import settings
from django.db import migrations, models

from marketing.core.tables import Tables


class Migration(migrations.Migration):
    replaces = [
        ("ingestion", "0001_initial"),
        ("ingestion", "0005_suppression"),
        ("ingestion", "0006_ledger"),
    ]

    initial = True

    dependencies = [
        ("core", "0001_first_release"),
        ("core", "__first__"),
    ]

    operations = [
        Tables(
            [
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "id",
                                "at",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("id", models.BigIntegerField()),
                        ("at", models.DateTimeField()),
                        ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("identity_id", models.BigIntegerField(null=True)),
                        ("anonymous_id", models.CharField(blank=True, default="", max_length=100)),
                        ("type", models.CharField(max_length=100)),
                        ("properties", models.JSONField(default=dict)),
                        ("context", models.JSONField(null=True)),
                        ("source", models.CharField(max_length=100)),
                        ("message_id", models.CharField(max_length=100)),
                        ("flags", models.CharField(blank=True, default="", max_length=40)),
                    ],
                    options={
                        "db_table": "ingestion_event",
                        "managed": False,
                    },
                ),
                migrations.CreateModel(
                    name="AlertRule",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("emails", models.JSONField(default=list)),
                        ("webhook_url", models.CharField(blank=True, default="", max_length=500)),
                        ("webhook_secret", models.TextField(blank=True, default="")),
                        (
                            "least",
                            models.CharField(
                                choices=[("warning", "Warning"), ("critical", "Critical")],
                                default="warning",
                                max_length=10,
                            ),
                        ),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                ),
                migrations.CreateModel(
                    name="Change",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("kind", models.CharField(max_length=12)),
                        (
                            "what",
                            models.CharField(blank=True, db_default="", default="", max_length=100),
                        ),
                        (
                            "people",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.BigIntegerField(), null=True, size=None
                            ),
                        ),
                        (
                            "at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now()
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="ChangeReader",
                    fields=[
                        (
                            "name",
                            models.CharField(max_length=60, primary_key=True, serialize=False),
                        ),
                        ("position", models.TextField()),
                        (
                            "at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now()
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Customer",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "external_id",
                            models.CharField(blank=True, max_length=100, null=True, unique=True),
                        ),
                        (
                            "email",
                            models.CharField(blank=True, max_length=254, null=True, unique=True),
                        ),
                        ("phone", models.CharField(blank=True, default="", max_length=20)),
                        ("first_name", models.CharField(blank=True, default="", max_length=100)),
                        ("last_name", models.CharField(blank=True, default="", max_length=100)),
                        ("country", models.CharField(blank=True, default="", max_length=2)),
                        ("language", models.CharField(blank=True, default="", max_length=10)),
                        ("timezone", models.CharField(blank=True, default="", max_length=64)),
                        ("attributes", models.JSONField(default=dict)),
                        (
                            "attribute_times",
                            models.JSONField(
                                db_default=models.Value({}, output_field=models.JSONField()),
                                default=dict,
                            ),
                        ),
                        ("is_demo", models.BooleanField(default=False)),
                        ("first_seen_at", models.DateTimeField(blank=True, null=True)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "merged_into",
                            models.ForeignKey(
                                blank=True,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="former",
                                to="ingestion.customer",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="EventKey",
                    fields=[
                        ("key", models.UUIDField(primary_key=True, serialize=False)),
                        ("digest", models.BigIntegerField()),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                ),
                migrations.CreateModel(
                    name="EventProperty",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("name", models.CharField(max_length=220)),
                        ("count", models.BigIntegerField(default=0)),
                        ("kinds", models.JSONField(default=dict)),
                        ("examples", models.JSONField(default=list)),
                        ("low", models.FloatField(null=True)),
                        ("high", models.FloatField(null=True)),
                        ("first_seen_at", models.DateTimeField()),
                        ("last_seen_at", models.DateTimeField()),
                    ],
                    options={
                        "ordering": ["-count", "name"],
                    },
                ),
                migrations.CreateModel(
                    name="EventType",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("name", models.CharField(max_length=100, unique=True)),
                        ("count", models.BigIntegerField(default=0)),
                        ("broken", models.BigIntegerField(default=0)),
                        ("other_properties", models.BigIntegerField(default=0)),
                        ("first_seen_at", models.DateTimeField()),
                        ("last_seen_at", models.DateTimeField()),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                    options={
                        "ordering": ["-count", "name"],
                    },
                ),
                migrations.CreateModel(
                    name="Inbox",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("source", models.CharField(max_length=100)),
                        (
                            "door",
                            models.CharField(
                                choices=[
                                    ("api", "API"),
                                    ("tracking", "Website or app"),
                                    ("webhook", "Webhook"),
                                    ("file", "File"),
                                    ("own", "This platform"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("received_at", models.DateTimeField()),
                        ("items", models.IntegerField()),
                        (
                            "skipped",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.IntegerField(), null=True, size=None
                            ),
                        ),
                        ("payload", models.TextField()),
                        ("refused", models.TextField(blank=True, default="")),
                    ],
                    options={
                        "verbose_name_plural": "inbox",
                    },
                ),
                migrations.CreateModel(
                    name="Observation",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("source", models.CharField(max_length=100)),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("seen", models.BinaryField()),
                    ],
                ),
                migrations.CreateModel(
                    name="PlanRules",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "unknown",
                            models.CharField(
                                choices=[
                                    ("allow", "Take it"),
                                    ("warn", "Take it and warn"),
                                    ("quarantine", "Set it aside"),
                                    ("refuse", "Refuse it"),
                                ],
                                default="allow",
                                max_length=10,
                            ),
                        ),
                        ("version", models.BigIntegerField(default=1)),
                        ("other_types", models.BigIntegerField(default=0)),
                    ],
                ),
                migrations.CreateModel(
                    name="Product",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("sku", models.CharField(max_length=60, unique=True)),
                        ("name", models.CharField(blank=True, max_length=300)),
                        ("category", models.CharField(blank=True, max_length=100)),
                        (
                            "price",
                            models.DecimalField(
                                blank=True, decimal_places=2, max_digits=12, null=True
                            ),
                        ),
                        ("currency", models.CharField(default="GBP", max_length=3)),
                        ("url", models.CharField(blank=True, max_length=500)),
                        ("image_url", models.CharField(blank=True, max_length=500)),
                        ("stock", models.IntegerField(blank=True, null=True)),
                        ("active", models.BooleanField(default=True)),
                        ("is_goods", models.BooleanField(default=True)),
                        ("attributes", models.JSONField(default=dict)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                ),
                migrations.CreateModel(
                    name="Purpose",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("slug", models.SlugField(max_length=20, unique=True)),
                        ("name", models.CharField(max_length=80)),
                        ("description", models.CharField(blank=True, max_length=300)),
                        ("archived", models.BooleanField(default=False)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                    options={
                        "ordering": ["name"],
                    },
                ),
                migrations.CreateModel(
                    name="Recipe",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("orders", "Orders"),
                                    ("customers", "People"),
                                    ("products", "Products"),
                                    ("events", "Events"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("current", models.IntegerField(default=0)),
                    ],
                ),
                migrations.CreateModel(
                    name="RetentionRun",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("removed", models.JSONField(default=dict)),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Source",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("name", models.CharField(max_length=100, unique=True)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("upload", "Files"),
                                    ("api", "API"),
                                    ("tracking", "Website or app"),
                                    ("connector", "Connector"),
                                    ("webhook", "Webhook"),
                                    ("demo", "Demo"),
                                ],
                                default="upload",
                                max_length=20,
                            ),
                        ),
                        ("mapping", models.JSONField(default=dict)),
                        ("options", models.JSONField(default=dict)),
                        ("enabled", models.BooleanField(default=True)),
                        (
                            "write_key",
                            models.CharField(
                                blank=True, editable=False, max_length=40, null=True, unique=True
                            ),
                        ),
                        ("is_demo", models.BooleanField(default=False)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                ),
                migrations.CreateModel(
                    name="Connector",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "public_id",
                            models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("sql", "Database"),
                                    ("folder", "Folder or bucket"),
                                    ("http_json", "HTTP API"),
                                    ("feed", "Feed"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("config", models.JSONField(default=dict)),
                        ("secrets", models.JSONField(default=dict, editable=False)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("draft", "Needs columns"),
                                    ("active", "Active"),
                                    ("paused", "Paused"),
                                ],
                                default="draft",
                                max_length=10,
                            ),
                        ),
                        ("every_minutes", models.PositiveIntegerField(blank=True, null=True)),
                        ("daily_at", models.TimeField(blank=True, null=True)),
                        ("next_at", models.DateTimeField(blank=True, null=True)),
                        ("cursor", models.JSONField(default=dict)),
                        ("failures", models.PositiveIntegerField(default=0)),
                        ("last_error", models.CharField(blank=True, default="", max_length=600)),
                        ("paused_reason", models.CharField(blank=True, default="", max_length=600)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "created_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "source",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="connector",
                                to="ingestion.source",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="ConsentText",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("purpose", models.CharField(max_length=20)),
                        ("language", models.CharField(default="en", max_length=10)),
                        ("version", models.IntegerField()),
                        ("text", models.TextField()),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "created_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["purpose", "language", "-version"],
                    },
                ),
                migrations.CreateModel(
                    name="CustomerRollup",
                    fields=[
                        (
                            "customer",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="rollup",
                                serialize=False,
                                to="ingestion.customer",
                            ),
                        ),
                        ("orders", models.IntegerField(default=0)),
                        ("units", models.BigIntegerField(default=0)),
                        (
                            "revenue",
                            models.DecimalField(decimal_places=2, default=0, max_digits=16),
                        ),
                        ("returns", models.IntegerField(default=0)),
                        ("products", models.IntegerField(default=0)),
                        ("first_order_at", models.DateTimeField(null=True)),
                        ("last_order_at", models.DateTimeField(null=True)),
                        (
                            "recent_orders",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.DateTimeField(),
                                db_default=models.Value(
                                    [],
                                    output_field=django.contrib.postgres.fields.ArrayField(
                                        base_field=models.DateTimeField(), size=None
                                    ),
                                ),
                                default=list,
                                size=None,
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Consent",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("channel", models.CharField(default="email", max_length=10)),
                        ("purpose", models.CharField(default="marketing", max_length=20)),
                        ("granted", models.BooleanField()),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "received_at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now()
                            ),
                        ),
                        ("expires_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "method",
                            models.CharField(blank=True, db_default="", default="", max_length=20),
                        ),
                        ("weight", models.SmallIntegerField(db_default=2, default=2)),
                        ("source", models.CharField(max_length=100)),
                        ("proof", models.JSONField(default=dict)),
                        ("current", models.BooleanField(default=True)),
                        (
                            "text",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="ingestion.consenttext",
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="consents",
                                to="ingestion.customer",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Confirmation",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("key", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                        ("address", models.CharField(max_length=254)),
                        (
                            "purposes",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=20), default=list, size=None
                            ),
                        ),
                        ("language", models.CharField(default="en", max_length=10)),
                        ("source", models.CharField(max_length=100)),
                        ("proof", models.JSONField(default=dict)),
                        ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("expires_at", models.DateTimeField()),
                        ("sent_at", models.DateTimeField(blank=True, null=True)),
                        ("tries", models.SmallIntegerField(default=0)),
                        ("next_try_at", models.DateTimeField(blank=True, null=True)),
                        ("confirmed_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "text",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="ingestion.consenttext",
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="confirmations",
                                to="ingestion.customer",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="DayScore",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("day", models.DateField()),
                        ("dimension", models.CharField(blank=True, default="", max_length=14)),
                        ("score", models.FloatField()),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("day", "dimension"), name="score_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="EventPlan",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("name", models.CharField(max_length=100, unique=True)),
                        ("description", models.TextField(blank=True, default="")),
                        ("owner", models.CharField(blank=True, default="", max_length=100)),
                        (
                            "policy",
                            models.CharField(
                                choices=[
                                    ("allow", "Take it"),
                                    ("warn", "Take it and warn"),
                                    ("quarantine", "Set it aside"),
                                    ("refuse", "Refuse it"),
                                ],
                                default="warn",
                                max_length=10,
                            ),
                        ),
                        ("closed", models.BooleanField(default=False)),
                        ("properties", models.JSONField(default=dict)),
                        ("version", models.IntegerField(default=1)),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "updated_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="EventPropertyDay",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("day", models.DateField()),
                        ("filled", models.BigIntegerField(default=0)),
                        (
                            "property",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="days",
                                to="ingestion.eventproperty",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="EventTally",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("source", models.CharField(max_length=100)),
                        (
                            "door",
                            models.CharField(
                                choices=[
                                    ("api", "API"),
                                    ("tracking", "Website or app"),
                                    ("webhook", "Webhook"),
                                    ("file", "File"),
                                    ("own", "This platform"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("at", models.DateTimeField()),
                        ("received", models.BigIntegerField(default=0)),
                        ("stored", models.BigIntegerField(default=0)),
                        ("duplicate", models.BigIntegerField(default=0)),
                        ("quarantined", models.BigIntegerField(default=0)),
                    ],
                    options={
                        "verbose_name_plural": "event tallies",
                        "indexes": [
                            models.Index(fields=["source", "at"], name="event_tally_source_at")
                        ],
                    },
                ),
                migrations.AddField(
                    model_name="eventproperty",
                    name="type",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="properties",
                        to="ingestion.eventtype",
                    ),
                ),
                migrations.CreateModel(
                    name="Drift",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("at", models.DateTimeField()),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("new_type", "New event"),
                                    ("new_property", "New property"),
                                    ("type_changed", "Another kind of value"),
                                    ("disappeared", "No longer sent"),
                                    ("volume", "Unusual volume"),
                                ],
                                max_length=14,
                            ),
                        ),
                        ("property", models.CharField(blank=True, default="", max_length=220)),
                        ("day", models.DateField()),
                        ("detail", models.JSONField(default=dict)),
                        (
                            "type",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="drifts",
                                to="ingestion.eventtype",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-at", "-id"],
                    },
                ),
                migrations.CreateModel(
                    name="EventVolume",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("at", models.DateTimeField()),
                        ("daily", models.BooleanField(default=False)),
                        ("source", models.CharField(max_length=100)),
                        ("count", models.BigIntegerField(default=0)),
                        (
                            "type",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="volumes",
                                to="ingestion.eventtype",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Expectation",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("name", models.CharField(max_length=200)),
                        ("subject", models.CharField(max_length=120)),
                        ("field", models.CharField(blank=True, default="", max_length=220)),
                        ("source", models.CharField(blank=True, default="", max_length=100)),
                        ("kind", models.CharField(max_length=20)),
                        ("params", models.JSONField(default=dict)),
                        ("threshold", models.FloatField(default=1.0)),
                        (
                            "severity",
                            models.CharField(
                                choices=[("warning", "Warning"), ("critical", "Critical")],
                                default="warning",
                                max_length=10,
                            ),
                        ),
                        (
                            "hold",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("", "Only tell me"),
                                    ("users", "Pause every campaign that uses the field"),
                                    ("named", "Pause the campaigns chosen here"),
                                ],
                                default="",
                                max_length=10,
                            ),
                        ),
                        ("held", models.JSONField(default=list)),
                        ("enabled", models.BooleanField(default=True)),
                        ("value", models.FloatField(null=True)),
                        ("met", models.BooleanField(null=True)),
                        ("checked_at", models.DateTimeField(blank=True, null=True)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "created_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["subject", "field", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="Identity",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("kind", models.CharField(max_length=10)),
                        ("value", models.CharField(max_length=254)),
                        ("linked_at", models.DateTimeField(null=True)),
                        ("anchored", models.BooleanField(db_default=False, default=False)),
                        ("refused", models.BooleanField(db_default=False, default=False)),
                        ("source", models.CharField(blank=True, max_length=100)),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "joined_at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now(),
                                default=django.utils.timezone.now,
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="identities",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "parent",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="children",
                                to="ingestion.identity",
                            ),
                        ),
                    ],
                ),
                migrations.AddField(
                    model_name="customer",
                    name="anchor",
                    field=models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="ingestion.identity",
                    ),
                ),
                migrations.CreateModel(
                    name="IdentityLink",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Waiting"),
                                    ("joined", "Joined"),
                                    ("refused", "Refused"),
                                ],
                                default="waiting",
                                max_length=8,
                            ),
                        ),
                        ("at", models.DateTimeField()),
                        ("source", models.CharField(blank=True, max_length=100)),
                        (
                            "stronger",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="claims",
                                to="ingestion.identity",
                            ),
                        ),
                        (
                            "weaker",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="claimed_by",
                                to="ingestion.identity",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="ImportJob",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "public_id",
                            models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("orders", "Orders"),
                                    ("customers", "People"),
                                    ("products", "Products"),
                                    ("events", "Events"),
                                ],
                                default="orders",
                                max_length=10,
                            ),
                        ),
                        ("path", models.CharField(max_length=500)),
                        ("original_name", models.CharField(max_length=255)),
                        ("bytes", models.BigIntegerField(default=0)),
                        ("sha256", models.CharField(blank=True, max_length=64)),
                        ("options", models.JSONField(default=dict)),
                        ("mapping", models.JSONField(default=dict)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("uploaded", "Needs columns"),
                                    ("mapped", "Ready"),
                                    ("running", "Running"),
                                    ("done", "Done"),
                                    ("failed", "Failed"),
                                    ("cancelled", "Stopped"),
                                ],
                                default="uploaded",
                                max_length=10,
                            ),
                        ),
                        ("received", models.BigIntegerField(default=0)),
                        ("stored", models.BigIntegerField(default=0)),
                        ("duplicate", models.BigIntegerField(default=0)),
                        ("quarantined", models.BigIntegerField(default=0)),
                        ("left_out", models.BigIntegerField(default=0)),
                        ("offset", models.BigIntegerField(default=0)),
                        ("report", models.JSONField(default=dict)),
                        ("signature", models.CharField(blank=True, db_index=True, max_length=64)),
                        ("trial", models.JSONField(default=dict)),
                        ("packed_at", models.DateTimeField(blank=True, null=True)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("started_at", models.DateTimeField(blank=True, null=True)),
                        ("finished_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "created_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "job",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="core.job",
                            ),
                        ),
                        (
                            "mends",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="menders",
                                to="ingestion.importjob",
                            ),
                        ),
                        (
                            "trial_job",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="core.job",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="ImportTouch",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "import_job",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.importjob",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Measure",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("day", models.DateField()),
                        ("dimension", models.CharField(max_length=14)),
                        ("subject", models.CharField(max_length=120)),
                        ("field", models.CharField(blank=True, default="", max_length=220)),
                        ("source", models.CharField(blank=True, default="", max_length=100)),
                        ("total", models.BigIntegerField(default=0)),
                        ("bad", models.BigIntegerField(default=0)),
                        ("value", models.FloatField(null=True)),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                fields=["dimension", "subject", "field", "source", "day"],
                                name="measure_trend",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("day", "dimension", "subject", "field", "source"),
                                name="measure_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Merge",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("claim", "Same name"),
                                    ("alias", "Alias"),
                                    ("person", "By hand"),
                                    ("suggested", "Suggested"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("source", models.CharField(blank=True, max_length=100)),
                        ("evidence", models.JSONField(default=dict)),
                        ("moved", models.JSONField(default=dict)),
                        ("actor_label", models.CharField(blank=True, max_length=200)),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("undone_at", models.DateTimeField(null=True)),
                        ("undone_by", models.CharField(blank=True, max_length=200)),
                        (
                            "actor",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "gone",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="merged",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "kept",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="merges",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "stronger",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="ingestion.identity",
                            ),
                        ),
                        (
                            "weaker",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="ingestion.identity",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Order",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("external_id", models.CharField(max_length=100)),
                        ("identity_id", models.BigIntegerField(editable=False, null=True)),
                        ("placed_at", models.DateTimeField()),
                        ("currency", models.CharField(max_length=3)),
                        ("total", models.DecimalField(decimal_places=2, default=0, max_digits=14)),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("placed", "Placed"),
                                    ("cancelled", "Cancelled"),
                                    ("part_returned", "Partly returned"),
                                    ("returned", "Returned"),
                                ],
                                default="placed",
                                max_length=14,
                            ),
                        ),
                        ("country", models.CharField(blank=True, default="", max_length=2)),
                        ("attributes", models.JSONField(default=dict)),
                        (
                            "customer",
                            models.ForeignKey(
                                blank=True,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="orders",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "source",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="ingestion.source",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="PlanBreach",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("day", models.DateField()),
                        ("type", models.CharField(max_length=100)),
                        ("property", models.CharField(blank=True, default="", max_length=220)),
                        ("code", models.CharField(max_length=40)),
                        (
                            "action",
                            models.CharField(
                                choices=[
                                    ("allow", "Take it"),
                                    ("warn", "Take it and warn"),
                                    ("quarantine", "Set it aside"),
                                    ("refuse", "Refuse it"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("count", models.BigIntegerField(default=0)),
                        ("last_at", models.DateTimeField()),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("type", "day", "property", "code", "action"),
                                name="breach_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PrivacyRequest",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "public_id",
                            models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("access", "Copy of their data"),
                                    ("erasure", "Erase"),
                                    ("rectification", "Correct"),
                                    ("objection", "Stop profiling"),
                                ],
                                max_length=15,
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("open", "Open"),
                                    ("done", "Done"),
                                    ("declined", "Declined"),
                                ],
                                default="open",
                                max_length=10,
                            ),
                        ),
                        ("came_by", models.CharField(max_length=40)),
                        ("note", models.TextField(blank=True)),
                        ("outcome", models.TextField(blank=True)),
                        ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("due_at", models.DateTimeField()),
                        ("closed_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "created_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "handled_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["state", "due_at"],
                    },
                ),
                migrations.CreateModel(
                    name="PersonalExport",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "public_id",
                            models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
                        ),
                        ("path", models.CharField(blank=True, max_length=500)),
                        ("bytes", models.BigIntegerField(default=0)),
                        ("sha256", models.CharField(blank=True, max_length=64)),
                        ("counts", models.JSONField(default=dict)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("ready_at", models.DateTimeField(blank=True, null=True)),
                        ("expires_at", models.DateTimeField()),
                        ("fetched_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "created_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "job",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="core.job",
                            ),
                        ),
                        (
                            "request",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="exports",
                                to="ingestion.privacyrequest",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Erasure",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "public_id",
                            models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
                        ),
                        ("customer_number", models.BigIntegerField()),
                        (
                            "mode",
                            models.CharField(
                                choices=[
                                    ("erase", "Erased"),
                                    ("anonymise", "Orders kept as a guest's"),
                                ],
                                default="erase",
                                max_length=10,
                            ),
                        ),
                        (
                            "digests",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=64), default=list, size=None
                            ),
                        ),
                        ("counts", models.JSONField(default=dict)),
                        ("left", models.JSONField(default=dict)),
                        ("actor_label", models.CharField(blank=True, max_length=200)),
                        ("replayed", models.BooleanField(default=False)),
                        ("sealed", models.TextField(blank=True, default="")),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("finished_at", models.DateTimeField(blank=True, null=True)),
                        ("sha256", models.CharField(blank=True, max_length=64)),
                        (
                            "actor",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "request",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="erasures",
                                to="ingestion.privacyrequest",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Problem",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("key", models.CharField(max_length=500)),
                        ("dimension", models.CharField(max_length=14)),
                        ("subject", models.CharField(max_length=120)),
                        ("field", models.CharField(blank=True, default="", max_length=220)),
                        ("source", models.CharField(blank=True, default="", max_length=100)),
                        ("code", models.CharField(max_length=40)),
                        (
                            "severity",
                            models.CharField(
                                choices=[("warning", "Warning"), ("critical", "Critical")],
                                default="warning",
                                max_length=10,
                            ),
                        ),
                        ("since", models.DateTimeField()),
                        ("seen_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        ("muted_until", models.DateTimeField(blank=True, null=True)),
                        ("rows", models.BigIntegerField(default=0)),
                        ("total", models.BigIntegerField(default=0)),
                        ("detail", models.JSONField(default=dict)),
                        ("examples", models.JSONField(default=list)),
                        (
                            "expectation",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="problems",
                                to="ingestion.expectation",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-severity", "-rows", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="Alert",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("moment", models.CharField(max_length=6)),
                        ("channel", models.CharField(max_length=8)),
                        ("address", models.CharField(max_length=500)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Waiting"),
                                    ("sent", "Sent"),
                                    ("failed", "Not delivered"),
                                ],
                                default="waiting",
                                max_length=8,
                            ),
                        ),
                        ("attempts", models.IntegerField(default=0)),
                        ("next_try_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("sent_at", models.DateTimeField(blank=True, null=True)),
                        ("error", models.CharField(blank=True, default="", max_length=300)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "problem",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="alerts",
                                to="ingestion.problem",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="OrderLine",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("line_no", models.IntegerField()),
                        ("placed_at", models.DateTimeField()),
                        ("sku", models.CharField(max_length=60)),
                        ("description", models.CharField(blank=True, default="", max_length=300)),
                        ("quantity", models.IntegerField()),
                        ("unit_price", models.DecimalField(decimal_places=4, max_digits=12)),
                        ("total", models.DecimalField(decimal_places=2, max_digits=14)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("product", "Product"),
                                    ("fee", "Fee"),
                                    ("return", "Return"),
                                    ("adjustment", "Adjustment"),
                                ],
                                default="product",
                                max_length=10,
                            ),
                        ),
                        ("outlier", models.BooleanField(default=False)),
                        (
                            "cancels",
                            models.ForeignKey(
                                blank=True,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="ingestion.orderline",
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="lines",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "order",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="lines",
                                to="ingestion.order",
                            ),
                        ),
                        (
                            "product",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="ingestion.product",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Pull",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "public_id",
                            models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("open", "Running"),
                                    ("done", "Done"),
                                    ("failed", "Failed"),
                                    ("stopped", "Stopped"),
                                ],
                                default="open",
                                max_length=10,
                            ),
                        ),
                        ("by_hand", models.BooleanField(default=False)),
                        ("cursor", models.JSONField(default=dict)),
                        ("path", models.CharField(blank=True, default="", max_length=500)),
                        ("steps", models.IntegerField(default=0)),
                        ("rows", models.BigIntegerField(default=0)),
                        ("bytes", models.BigIntegerField(default=0)),
                        ("received", models.BigIntegerField(default=0)),
                        ("stored", models.BigIntegerField(default=0)),
                        ("duplicate", models.BigIntegerField(default=0)),
                        ("quarantined", models.BigIntegerField(default=0)),
                        ("error", models.CharField(blank=True, default="", max_length=600)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("started_at", models.DateTimeField(blank=True, null=True)),
                        ("finished_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "connector",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="pulls",
                                to="ingestion.connector",
                            ),
                        ),
                        (
                            "imports",
                            models.ManyToManyField(related_name="pulls", to="ingestion.importjob"),
                        ),
                        (
                            "job",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="core.job",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="PulledFile",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("name", models.CharField(max_length=700)),
                        ("version", models.CharField(max_length=200)),
                        ("problem", models.CharField(blank=True, default="", max_length=600)),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "connector",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="files",
                                to="ingestion.connector",
                            ),
                        ),
                        (
                            "import_job",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="ingestion.importjob",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="RecipeVersion",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("number", models.IntegerField()),
                        ("body", models.JSONField(default=dict)),
                        ("statistics", models.JSONField(default=dict)),
                        ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "made_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "recipe",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="versions",
                                to="ingestion.recipe",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-number"],
                    },
                ),
                migrations.CreateModel(
                    name="RecipeRun",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "public_id",
                            models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
                        ),
                        ("offset", models.BigIntegerField(default=0)),
                        ("report", models.JSONField(default=dict)),
                        ("frozen", models.JSONField(default=dict)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("finished_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "import_job",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="recipe_runs",
                                to="ingestion.importjob",
                            ),
                        ),
                        (
                            "job",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="core.job",
                            ),
                        ),
                        (
                            "after",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="ingestion.recipeversion",
                            ),
                        ),
                        (
                            "before",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="ingestion.recipeversion",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.AddField(
                    model_name="importjob",
                    name="recipe_version",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ingestion.recipeversion",
                    ),
                ),
                migrations.CreateModel(
                    name="Refusal",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("source", models.CharField(max_length=100)),
                        (
                            "door",
                            models.CharField(
                                choices=[
                                    ("api", "API"),
                                    ("tracking", "Website or app"),
                                    ("webhook", "Webhook"),
                                    ("file", "File"),
                                    ("own", "This platform"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("message_id", models.CharField(blank=True, max_length=200)),
                        ("type", models.CharField(blank=True, max_length=100)),
                        ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("code", models.CharField(max_length=40)),
                        ("field", models.CharField(blank=True, max_length=100)),
                        ("message", models.CharField(max_length=300)),
                        ("remedy", models.CharField(blank=True, max_length=300)),
                        ("raw", models.TextField()),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("open", "Open"),
                                    ("retried", "Sent again"),
                                    ("discarded", "Discarded"),
                                ],
                                default="open",
                                max_length=10,
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["state", "-id"], name="refusal_state"),
                            models.Index(fields=["source", "-id"], name="refusal_source"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="RefusedName",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("kind", models.CharField(max_length=10)),
                        ("value", models.CharField(max_length=254)),
                        (
                            "reason",
                            models.CharField(
                                choices=[
                                    ("placeholder", "Stands for nobody"),
                                    ("many_owners", "Claimed by many people"),
                                    ("many_names", "Holds too many names"),
                                ],
                                max_length=12,
                            ),
                        ),
                        ("people", models.IntegerField(default=0)),
                        ("times", models.BigIntegerField(default=0)),
                        ("source", models.CharField(blank=True, max_length=100)),
                        ("allowed", models.BooleanField(default=False)),
                        ("first_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("last_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                    options={
                        "ordering": ["-last_at"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("kind", "value"), name="refused_name_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Reject",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("line", models.BigIntegerField()),
                        ("raw", models.TextField()),
                        ("code", models.CharField(max_length=40)),
                        ("field", models.CharField(blank=True, max_length=60)),
                        ("message", models.CharField(max_length=300)),
                        ("remedy", models.CharField(blank=True, max_length=300)),
                        (
                            "import_job",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="rejects",
                                to="ingestion.importjob",
                            ),
                        ),
                        (
                            "mended_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="ingestion.importjob",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["line"],
                    },
                ),
                migrations.CreateModel(
                    name="RetentionRule",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("kind", models.CharField(max_length=30)),
                        ("name", models.CharField(blank=True, max_length=100)),
                        ("days", models.IntegerField()),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "updated_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["kind", "name"],
                    },
                ),
                migrations.AddField(
                    model_name="recipe",
                    name="source",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recipes",
                        to="ingestion.source",
                    ),
                ),
                migrations.CreateModel(
                    name="Mention",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("external_id", models.CharField(max_length=200)),
                        ("author", models.CharField(blank=True, default="", max_length=200)),
                        ("title", models.CharField(blank=True, default="", max_length=300)),
                        ("text", models.TextField(blank=True, default="")),
                        ("url", models.CharField(blank=True, default="", max_length=1000)),
                        ("language", models.CharField(blank=True, default="", max_length=10)),
                        ("published_at", models.DateTimeField()),
                        ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("sentiment", models.FloatField(blank=True, null=True)),
                        (
                            "source",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="mentions",
                                to="ingestion.source",
                            ),
                        ),
                    ],
                ),
                migrations.AddField(
                    model_name="importjob",
                    name="source",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="imports",
                        to="ingestion.source",
                    ),
                ),
                migrations.CreateModel(
                    name="ExchangeRate",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("currency", models.CharField(max_length=3)),
                        ("into", models.CharField(max_length=3)),
                        ("day", models.DateField()),
                        ("rate", models.DecimalField(decimal_places=10, max_digits=20)),
                        (
                            "source",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="rates",
                                to="ingestion.source",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["currency", "into", "-day"],
                    },
                ),
                migrations.CreateModel(
                    name="Statement",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("said", models.JSONField(default=dict)),
                        (
                            "customer",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="statement",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "identity",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="statement",
                                to="ingestion.identity",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="SuppressedDigest",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("channel", models.CharField(default="email", max_length=10)),
                        ("digest", models.BinaryField(max_length=32)),
                        ("reason", models.CharField(max_length=20)),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("channel", "digest"), name="suppressed_digest_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Suppression",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("channel", models.CharField(default="email", max_length=10)),
                        ("address", models.CharField(max_length=254)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("address", "Address"),
                                    ("domain", "Domain"),
                                    ("sha256", "Hash of an address"),
                                    ("person", "Person"),
                                ],
                                db_default="address",
                                default="address",
                                max_length=8,
                            ),
                        ),
                        ("reason", models.CharField(max_length=20)),
                        (
                            "source",
                            models.CharField(blank=True, db_default="", default="", max_length=100),
                        ),
                        (
                            "note",
                            models.CharField(blank=True, db_default="", default="", max_length=300),
                        ),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "added_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="suppressions",
                                to="ingestion.customer",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="TableSize",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("table", models.CharField(max_length=100)),
                        ("day", models.DateField()),
                        ("bytes", models.BigIntegerField()),
                        ("rows", models.BigIntegerField()),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("table", "day"), name="table_size_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Twins",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("score", models.SmallIntegerField()),
                        ("evidence", models.JSONField(default=list)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("open", "To decide"),
                                    ("apart", "Not the same"),
                                    ("merged", "Merged"),
                                ],
                                default="open",
                                max_length=6,
                            ),
                        ),
                        ("found_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("decided_at", models.DateTimeField(null=True)),
                        ("decided_by", models.CharField(blank=True, max_length=200)),
                        (
                            "left",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="twins_left",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "right",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="twins_right",
                                to="ingestion.customer",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="WebhookEndpoint",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "scheme",
                            models.CharField(
                                choices=[
                                    ("standard", "JSON with a mapping"),
                                    ("shopify", "Shopify"),
                                    ("woocommerce", "WooCommerce"),
                                ],
                                default="standard",
                                max_length=12,
                            ),
                        ),
                        (
                            "token",
                            models.CharField(
                                default=ingestion.models.webhooks.make_token,
                                editable=False,
                                max_length=40,
                                unique=True,
                            ),
                        ),
                        ("secret", models.TextField(editable=False)),
                        (
                            "earlier_secret",
                            models.TextField(blank=True, default="", editable=False),
                        ),
                        ("earlier_until", models.DateTimeField(blank=True, null=True)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("orders", "Orders"),
                                    ("customers", "People"),
                                    ("products", "Products"),
                                    ("events", "Events"),
                                ],
                                default="events",
                                max_length=10,
                            ),
                        ),
                        ("mapping", models.JSONField(default=dict)),
                        ("per_minute", models.PositiveIntegerField(default=600)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "source",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="webhook",
                                to="ingestion.source",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="WebhookReceipt",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("delivery_id", models.CharField(max_length=300)),
                        ("digest", models.CharField(max_length=64)),
                        ("topic", models.CharField(blank=True, max_length=100)),
                        ("body", models.BinaryField()),
                        ("bytes", models.IntegerField()),
                        ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Waiting"),
                                    ("done", "Stored"),
                                    ("duplicate", "Duplicate"),
                                    ("quarantined", "Quarantined"),
                                ],
                                default="waiting",
                                max_length=12,
                            ),
                        ),
                        ("code", models.CharField(blank=True, default="", max_length=40)),
                        ("message", models.CharField(blank=True, default="", max_length=400)),
                        ("remedy", models.CharField(blank=True, default="", max_length=400)),
                        ("result", models.JSONField(default=dict)),
                        (
                            "names",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=254), default=list, size=None
                            ),
                        ),
                        ("repeats", models.IntegerField(default=0)),
                        ("attempts", models.SmallIntegerField(default=0)),
                        ("tried_at", models.DateTimeField(blank=True, null=True)),
                        ("done_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "endpoint",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="receipts",
                                to="ingestion.webhookendpoint",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="WebhookThing",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("kind", models.CharField(max_length=10)),
                        ("external_id", models.CharField(max_length=100)),
                        ("parent", models.CharField(blank=True, default="", max_length=100)),
                        ("changed_at", models.DateTimeField()),
                        ("rank", models.SmallIntegerField(default=0)),
                        ("digest", models.CharField(max_length=64)),
                        ("gone", models.BooleanField(default=False)),
                        ("body", models.JSONField(default=dict)),
                        (
                            "names",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=254), default=list, size=None
                            ),
                        ),
                        (
                            "source",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.source",
                            ),
                        ),
                    ],
                ),
                migrations.AddConstraint(
                    model_name="consenttext",
                    constraint=models.UniqueConstraint(
                        fields=("purpose", "language", "version"), name="consent_text_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="customerrollup",
                    index=models.Index(fields=["last_order_at", "orders"], name="rollup_recent"),
                ),
                migrations.AddIndex(
                    model_name="customerrollup",
                    index=models.Index(fields=["-revenue"], name="rollup_revenue"),
                ),
                migrations.AddIndex(
                    model_name="consent",
                    index=models.Index(
                        condition=models.Q(("current", True), ("expires_at__isnull", False)),
                        fields=["expires_at"],
                        name="consent_ends",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="consent",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("current", True)),
                        fields=("customer", "channel", "purpose"),
                        name="consent_current_once",
                    ),
                ),
                migrations.AddIndex(
                    model_name="confirmation",
                    index=models.Index(
                        condition=models.Q(("confirmed_at", None), ("sent_at", None)),
                        fields=["next_try_at"],
                        name="confirmation_unsent",
                    ),
                ),
                migrations.AddIndex(
                    model_name="confirmation",
                    index=models.Index(fields=["address", "asked_at"], name="confirmation_address"),
                ),
                migrations.AddIndex(
                    model_name="eventpropertyday",
                    index=models.Index(fields=["day"], name="property_day"),
                ),
                migrations.AddConstraint(
                    model_name="eventpropertyday",
                    constraint=models.UniqueConstraint(
                        fields=("property", "day"), name="property_day_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="eventproperty",
                    constraint=models.UniqueConstraint(
                        fields=("type", "name"), name="property_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="drift",
                    constraint=models.UniqueConstraint(
                        fields=("type", "property", "kind", "day"), name="drift_once_a_day"
                    ),
                ),
                migrations.AddIndex(
                    model_name="eventvolume",
                    index=models.Index(fields=["type", "at"], name="volume_type"),
                ),
                migrations.AddConstraint(
                    model_name="eventvolume",
                    constraint=models.UniqueConstraint(
                        fields=("at", "daily", "type", "source"), name="volume_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="identity",
                    index=django.contrib.postgres.indexes.BrinIndex(
                        fields=["joined_at"], name="identity_joined_at"
                    ),
                ),
                migrations.AddIndex(
                    model_name="identity",
                    index=models.Index(
                        condition=models.Q(("customer__isnull", True)),
                        fields=["parent"],
                        name="identity_of_nobody",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="identity",
                    constraint=models.UniqueConstraint(
                        fields=("kind", "value"), name="identity_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="customer",
                    index=models.Index(
                        condition=models.Q(("merged_into__isnull", True)),
                        fields=["country", "id"],
                        include=("email",),
                        name="customer_present",
                    ),
                ),
                migrations.AddIndex(
                    model_name="customer",
                    index=models.Index(
                        condition=models.Q(("merged_into__isnull", False)),
                        fields=["merged_into"],
                        name="customer_merged",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="identitylink",
                    constraint=models.UniqueConstraint(
                        fields=("stronger", "weaker"), name="identity_link_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="importtouch",
                    constraint=models.UniqueConstraint(
                        fields=("import_job", "customer"), name="import_touch_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="privacyrequest",
                    index=models.Index(
                        condition=models.Q(("state", "open")),
                        fields=["due_at"],
                        name="privacy_open",
                    ),
                ),
                migrations.AddIndex(
                    model_name="problem",
                    index=models.Index(fields=["-since"], name="problem_since"),
                ),
                migrations.AddConstraint(
                    model_name="problem",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("key",),
                        name="problem_open_once",
                    ),
                ),
                migrations.AddIndex(
                    model_name="alert",
                    index=models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["next_try_at"],
                        name="alert_waiting",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="alert",
                    constraint=models.UniqueConstraint(
                        fields=("problem", "moment", "channel", "address"), name="alert_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="orderline",
                    index=models.Index(fields=["customer", "placed_at"], name="line_customer"),
                ),
                migrations.AddIndex(
                    model_name="orderline",
                    index=models.Index(fields=["product", "placed_at"], name="line_product"),
                ),
                migrations.AddIndex(
                    model_name="orderline",
                    index=models.Index(
                        condition=models.Q(("cancels__isnull", False)),
                        fields=["cancels"],
                        name="line_cancels",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="orderline",
                    constraint=models.UniqueConstraint(
                        fields=("order", "line_no"), name="line_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="pull",
                    index=models.Index(fields=["connector", "-created_at"], name="pull_newest"),
                ),
                migrations.AddConstraint(
                    model_name="pull",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("connector",),
                        name="pull_open_once",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="pulledfile",
                    constraint=models.UniqueConstraint(
                        fields=("connector", "name", "version"), name="pulled_file_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="recipeversion",
                    constraint=models.UniqueConstraint(
                        fields=("recipe", "number"), name="recipe_version_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="reciperun",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("finished_at__isnull", True)),
                        fields=("import_job",),
                        name="recipe_run_open_once",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="reject",
                    constraint=models.UniqueConstraint(
                        fields=("import_job", "line"), name="reject_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="retentionrule",
                    constraint=models.UniqueConstraint(
                        fields=("kind", "name"), name="retention_rule_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="recipe",
                    constraint=models.UniqueConstraint(
                        fields=("source", "kind"), name="recipe_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="order",
                    index=models.Index(fields=["customer", "placed_at"], name="order_customer"),
                ),
                migrations.AddIndex(
                    model_name="order",
                    index=models.Index(fields=["placed_at"], name="order_placed"),
                ),
                migrations.AddConstraint(
                    model_name="order",
                    constraint=models.UniqueConstraint(
                        fields=("source", "external_id"), name="order_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="mention",
                    index=models.Index(fields=["source", "-published_at"], name="mention_newest"),
                ),
                migrations.AddIndex(
                    model_name="mention",
                    index=models.Index(fields=["-published_at"], name="mention_published"),
                ),
                migrations.AddConstraint(
                    model_name="mention",
                    constraint=models.UniqueConstraint(
                        fields=("source", "external_id"), name="mention_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="exchangerate",
                    constraint=models.UniqueConstraint(
                        fields=("source", "currency", "into", "day"), name="exchange_rate_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="connector",
                    index=models.Index(
                        condition=models.Q(("state", "active")),
                        fields=["next_at"],
                        name="connector_due",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="statement",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            ("identity__isnull", True), ("customer__isnull", True), _connector="XOR"
                        ),
                        name="statement_of_one",
                    ),
                ),
                migrations.AddIndex(
                    model_name="suppression",
                    index=models.Index(
                        condition=models.Q(("kind", "address"), _negated=True),
                        fields=["channel"],
                        name="suppression_wider",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="suppression",
                    constraint=models.UniqueConstraint(
                        fields=("channel", "address"), name="suppression_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="twins",
                    index=models.Index(fields=["state", "-score", "id"], name="twins_to_decide"),
                ),
                migrations.AddConstraint(
                    model_name="twins",
                    constraint=models.UniqueConstraint(fields=("left", "right"), name="twins_once"),
                ),
                migrations.AddConstraint(
                    model_name="twins",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("left__lt", models.F("right"))), name="twins_in_order"
                    ),
                ),
                migrations.AddIndex(
                    model_name="webhookreceipt",
                    index=models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["id"],
                        name="webhook_waiting",
                    ),
                ),
                migrations.AddIndex(
                    model_name="webhookreceipt",
                    index=models.Index(fields=["endpoint", "-id"], name="webhook_recent"),
                ),
                migrations.AddIndex(
                    model_name="webhookreceipt",
                    index=models.Index(fields=["received_at"], name="webhook_received"),
                ),
                migrations.AddIndex(
                    model_name="webhookreceipt",
                    index=django.contrib.postgres.indexes.GinIndex(
                        fields=["names"], name="webhook_names"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="webhookreceipt",
                    constraint=models.UniqueConstraint(
                        fields=("endpoint", "delivery_id"), name="webhook_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="webhookthing",
                    index=models.Index(
                        condition=models.Q(("parent", ""), _negated=True),
                        fields=["source", "parent"],
                        name="webhook_thing_parent",
                    ),
                ),
                migrations.AddIndex(
                    model_name="webhookthing",
                    index=django.contrib.postgres.indexes.GinIndex(
                        fields=["names"], name="webhook_thing_names"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="webhookthing",
                    constraint=models.UniqueConstraint(
                        fields=("source", "kind", "external_id"), name="webhook_thing_once"
                    ),
                ),
            ]
        )
    ]
