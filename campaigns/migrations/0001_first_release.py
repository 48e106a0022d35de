"""The tables of segments, content, campaigns, journeys and messages, as the first release has them."""

import datetime
import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models

from marketing.core.tables import Tables


class Migration(migrations.Migration):
    replaces = [
        ("campaigns", "0001_initial"),
        ("campaigns", "0002_initial"),
        ("campaigns", "0003_run_erased"),
        ("campaigns", "0004_message_first_customer"),
        ("campaigns", "0005_lists"),
        ("campaigns", "0008_waiver"),
        ("campaigns", "0009_ledger"),
        ("campaigns", "0010_channels"),
        ("campaigns", "0011_manners"),
        ("campaigns", "0012_journeys"),
        ("campaigns", "0013_experiments"),
        ("campaigns", "0014_answers"),
        ("campaigns", "0015_journey_heard"),
        ("campaigns", "0016_pace"),
        ("campaigns", "0017_unsent"),
        ("campaigns", "0018_goal"),
        ("campaigns", "0019_reviews"),
        ("campaigns", "0020_content"),
        ("campaigns", "0021_early_news"),
        ("campaigns", "0022_choices"),
        ("campaigns", "0023_budget"),
        ("campaigns", "0024_journey_waited"),
        ("campaigns", "0025_links_of_visits"),
        ("campaigns", "0026_ads"),
        ("campaigns", "0027_words_by_sms"),
        ("campaigns", "0028_journey_readings"),
        ("campaigns", "0029_saved_blocks"),
        ("campaigns", "0030_untold"),
        ("campaigns", "0031_stay_note"),
        ("campaigns", "0032_mail_pieces"),
        ("campaigns", "0033_message_deaths"),
        ("campaigns", "0034_ad_purses"),
        ("campaigns", "0035_seeds"),
        ("campaigns", "0036_saved_block_keys"),
        ("campaigns", "0037_variant_hours"),
        ("campaigns", "0038_pace_mark"),
        ("campaigns", "0039_channels_tried"),
    ]

    initial = True

    dependencies = [
        ("core", "0001_first_release"),
        ("core", "__first__"),
        ("ingestion", "0001_first_release"),
    ]

    operations = [
        Tables(
            [
                migrations.CreateModel(
                    name="AdPlacement",
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
                        ("key", models.CharField(max_length=60, unique=True)),
                        ("name", models.CharField(max_length=120)),
                        ("network", models.CharField(blank=True, max_length=60)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                    options={
                        "ordering": ["name", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="Campaign",
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
                        ("name", models.CharField(max_length=120)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("draft", "Draft"),
                                    ("scheduled", "Scheduled"),
                                    ("running", "Sending"),
                                    ("paused", "Paused"),
                                    ("finished", "Sent"),
                                    ("cancelled", "Cancelled"),
                                ],
                                default="draft",
                                max_length=10,
                            ),
                        ),
                        ("holdout_percent", models.PositiveSmallIntegerField(default=10)),
                        (
                            "goal",
                            models.CharField(blank=True, db_default="", default="", max_length=200),
                        ),
                        (
                            "utm",
                            models.JSONField(
                                blank=True,
                                db_default=models.Value({}, output_field=models.JSONField()),
                                default=dict,
                            ),
                        ),
                        ("from_name", models.CharField(blank=True, max_length=120)),
                        ("from_email", models.EmailField(blank=True, max_length=254)),
                        ("reply_to", models.EmailField(blank=True, max_length=254)),
                        ("scheduled_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "held_because",
                            models.CharField(blank=True, db_default="", default="", max_length=300),
                        ),
                        (
                            "timing",
                            models.CharField(
                                choices=[
                                    ("once", "Everybody at the same moment"),
                                    ("local", "At the same hour where each person is"),
                                    ("best", "At each person's own best hour"),
                                ],
                                db_default="once",
                                default="once",
                                max_length=5,
                            ),
                        ),
                        (
                            "local_time",
                            models.TimeField(
                                db_default=datetime.time(9, 0), default=datetime.time(9, 0)
                            ),
                        ),
                        (
                            "if_passed",
                            models.CharField(
                                choices=[
                                    ("wait", "Send at that hour tomorrow"),
                                    ("now", "Send at once"),
                                ],
                                db_default="wait",
                                default="wait",
                                max_length=4,
                            ),
                        ),
                        ("useful_hours", models.PositiveSmallIntegerField(blank=True, null=True)),
                        ("urgent", models.BooleanField(db_default=False, default=False)),
                        ("archived_at", models.DateTimeField(blank=True, null=True)),
                        ("is_demo", models.BooleanField(default=False)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Domain",
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
                        ("name", models.CharField(max_length=253, unique=True)),
                        ("keys", models.JSONField(default=dict, editable=False)),
                        ("findings", models.JSONField(default=dict)),
                        ("signs_since", models.DateTimeField(blank=True, null=True)),
                        ("checked_at", models.DateTimeField(blank=True, null=True)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                    options={
                        "ordering": ["name"],
                    },
                ),
                migrations.CreateModel(
                    name="Hit",
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
                        ("kind", models.CharField(max_length=5)),
                        ("key", models.CharField(max_length=32)),
                        ("at", models.DateTimeField()),
                        ("url", models.TextField(blank=True)),
                        ("agent", models.CharField(blank=True, max_length=200)),
                    ],
                ),
                migrations.CreateModel(
                    name="JourneyCursor",
                    fields=[
                        (
                            "name",
                            models.CharField(max_length=40, primary_key=True, serialize=False),
                        ),
                        ("position", models.TextField(blank=True, default="")),
                        ("number", models.BigIntegerField(default=0)),
                        ("at", models.DateTimeField(blank=True, null=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="Message",
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
                            "first_customer_id",
                            models.BigIntegerField(blank=True, editable=False, null=True),
                        ),
                        ("entry", models.BigIntegerField(db_default=0, default=0)),
                        (
                            "step",
                            models.CharField(blank=True, db_default="", default="", max_length=40),
                        ),
                        ("channel", models.CharField(default="email", max_length=10)),
                        ("address", models.CharField(blank=True, max_length=254)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("queued", "Waiting"),
                                    ("sending", "Sending"),
                                    ("sent", "Sent"),
                                    ("failed", "Failed"),
                                    ("unknown", "Not known"),
                                    ("skipped", "Not sent"),
                                ],
                                default="queued",
                                max_length=8,
                            ),
                        ),
                        ("reason", models.CharField(blank=True, max_length=40)),
                        ("variant", models.CharField(default="a", max_length=10)),
                        (
                            "reach",
                            models.CharField(blank=True, db_default="", default="", max_length=40),
                        ),
                        ("chance", models.FloatField(blank=True, null=True)),
                        ("attempt", models.SmallIntegerField(default=0)),
                        ("deaths", models.SmallIntegerField(db_default=0, default=0)),
                        ("fence", models.BigIntegerField(default=0)),
                        ("owner", models.CharField(blank=True, max_length=120)),
                        ("lease_until", models.DateTimeField(blank=True, null=True)),
                        ("next_try_at", models.DateTimeField(blank=True, null=True)),
                        ("first_try_at", models.DateTimeField(blank=True, null=True)),
                        ("claimed_at", models.DateTimeField(blank=True, null=True)),
                        ("expires_at", models.DateTimeField(blank=True, null=True)),
                        ("handed_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "message_id",
                            models.CharField(blank=True, max_length=200, null=True, unique=True),
                        ),
                        (
                            "provider_ref",
                            models.CharField(blank=True, db_default="", default="", max_length=200),
                        ),
                        ("subject", models.CharField(blank=True, max_length=300)),
                        ("error", models.CharField(blank=True, max_length=500)),
                        ("queued_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("sent_at", models.DateTimeField(blank=True, null=True)),
                        ("opened_at", models.DateTimeField(blank=True, null=True)),
                        ("clicked_at", models.DateTimeField(blank=True, null=True)),
                        ("opened_human", models.FloatField(blank=True, null=True)),
                        ("clicked_human", models.FloatField(blank=True, null=True)),
                        ("bounced_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "bounce",
                            models.CharField(blank=True, db_default="", default="", max_length=10),
                        ),
                        ("complained_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "customer",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="messages",
                                to="ingestion.customer",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Pace",
                    fields=[
                        (
                            "key",
                            models.CharField(max_length=300, primary_key=True, serialize=False),
                        ),
                        ("free_at", models.DateTimeField(blank=True, null=True)),
                        ("day", models.DateField(blank=True, null=True)),
                        ("used", models.IntegerField(db_default=0, default=0)),
                        ("since", models.DateTimeField(blank=True, null=True)),
                        ("good", models.IntegerField(db_default=0, default=0)),
                        ("bad", models.IntegerField(db_default=0, default=0)),
                        ("down", models.BooleanField(db_default=False, default=False)),
                        (
                            "mark",
                            models.CharField(blank=True, db_default="", default="", max_length=100),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="ReturnBox",
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
                        ("name", models.CharField(max_length=80)),
                        ("host", models.CharField(max_length=253)),
                        ("port", models.PositiveIntegerField(default=993)),
                        (
                            "security",
                            models.CharField(
                                choices=[
                                    ("tls", "TLS from the start"),
                                    ("starttls", "STARTTLS"),
                                    ("none", "None, for a server on this machine"),
                                ],
                                default="tls",
                                max_length=8,
                            ),
                        ),
                        ("username", models.CharField(max_length=254)),
                        ("secret", models.TextField(default="", editable=False)),
                        ("folder", models.CharField(default="INBOX", max_length=100)),
                        ("enabled", models.BooleanField(default=True)),
                        ("validity", models.BigIntegerField(default=0)),
                        ("last_uid", models.BigIntegerField(default=0)),
                        ("checked_at", models.DateTimeField(blank=True, null=True)),
                        ("error", models.CharField(blank=True, max_length=500)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                    options={
                        "ordering": ["name", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="SeedMailbox",
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
                        ("label", models.CharField(max_length=80)),
                        ("address", models.EmailField(max_length=254, unique=True)),
                        ("host", models.CharField(blank=True, default="", max_length=253)),
                        ("port", models.PositiveIntegerField(default=993)),
                        (
                            "security",
                            models.CharField(
                                choices=[
                                    ("tls", "TLS from the start"),
                                    ("starttls", "STARTTLS"),
                                    ("none", "None, for a server on this machine"),
                                ],
                                default="tls",
                                max_length=8,
                            ),
                        ),
                        ("username", models.CharField(blank=True, default="", max_length=254)),
                        ("secret", models.TextField(default="", editable=False)),
                        ("inbox", models.CharField(default="INBOX", max_length=200)),
                        ("spam", models.CharField(blank=True, default="", max_length=200)),
                        ("enabled", models.BooleanField(default=True)),
                        ("checked_at", models.DateTimeField(blank=True, null=True)),
                        ("error", models.CharField(blank=True, default="", max_length=500)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                    options={
                        "ordering": ["label", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="Segment",
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
                        ("name", models.CharField(max_length=120)),
                        ("description", models.CharField(blank=True, max_length=500)),
                        ("rule", models.JSONField(default=dict)),
                        ("origin", models.JSONField(default=dict)),
                        (
                            "state",
                            models.CharField(
                                choices=[("live", "Live"), ("archived", "Archived")],
                                default="live",
                                max_length=10,
                            ),
                        ),
                        ("size", models.BigIntegerField(blank=True, null=True)),
                        ("counted_at", models.DateTimeField(blank=True, null=True)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Turn",
                    fields=[
                        (
                            "customer",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="+",
                                serialize=False,
                                to="ingestion.customer",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="AdCampaign",
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
                        ("key", models.CharField(max_length=60, unique=True)),
                        ("name", models.CharField(max_length=120)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("draft", "Draft"),
                                    ("running", "Running"),
                                    ("paused", "Paused"),
                                    ("ended", "Ended"),
                                ],
                                default="draft",
                                max_length=7,
                            ),
                        ),
                        (
                            "goal",
                            models.CharField(
                                choices=[("click", "Clicks"), ("conversion", "Conversions")],
                                default="click",
                                max_length=10,
                            ),
                        ),
                        ("budget", models.DecimalField(decimal_places=2, max_digits=14)),
                        (
                            "daily_cap",
                            models.DecimalField(
                                blank=True, decimal_places=2, max_digits=14, null=True
                            ),
                        ),
                        (
                            "pricing",
                            models.CharField(
                                choices=[("cpm", "A thousand impressions"), ("cpc", "A click")],
                                default="cpm",
                                max_length=3,
                            ),
                        ),
                        ("price", models.DecimalField(decimal_places=4, max_digits=12)),
                        ("currency", models.CharField(max_length=3)),
                        ("starts_on", models.DateField()),
                        ("ends_on", models.DateField()),
                        ("timezone", models.CharField(default="UTC", max_length=64)),
                        (
                            "mode",
                            models.CharField(
                                choices=[
                                    ("fixed", "Fixed shares"),
                                    ("bandit", "Shares follow the answers"),
                                    ("person", "What suits each person"),
                                ],
                                default="fixed",
                                max_length=6,
                            ),
                        ),
                        ("floor_percent", models.FloatField(default=5)),
                        ("pace", models.JSONField(blank=True, default=dict)),
                        ("is_demo", models.BooleanField(default=False)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                            "placements",
                            models.ManyToManyField(
                                blank=True, related_name="ads", to="campaigns.adplacement"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="AdCreative",
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
                        ("key", models.CharField(max_length=60, unique=True)),
                        ("name", models.CharField(max_length=120)),
                        ("headline", models.CharField(blank=True, max_length=200)),
                        ("image_url", models.CharField(blank=True, max_length=500)),
                        ("url", models.CharField(blank=True, max_length=500)),
                        ("weight", models.PositiveSmallIntegerField(default=1)),
                        ("active", models.BooleanField(default=True)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "ad",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="creatives",
                                to="campaigns.adcampaign",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["ad", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="AdDay",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "ad",
                                "day",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("day", models.DateField()),
                        ("cap", models.DecimalField(decimal_places=6, max_digits=18, null=True)),
                        ("spent", models.DecimalField(decimal_places=6, default=0, max_digits=18)),
                        (
                            "promised",
                            models.DecimalField(decimal_places=6, default=0, max_digits=18),
                        ),
                        (
                            "ad",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="days",
                                to="campaigns.adcampaign",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="AdHour",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "ad",
                                "hour",
                                "creative",
                                "placement",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("hour", models.DateTimeField()),
                        ("impressions", models.BigIntegerField(default=0)),
                        ("clicks", models.BigIntegerField(default=0)),
                        ("conversions", models.BigIntegerField(default=0)),
                        ("answered", models.BigIntegerField(default=0)),
                        ("turned", models.BigIntegerField(default=0)),
                        ("cost", models.DecimalField(decimal_places=6, default=0, max_digits=18)),
                        ("value", models.DecimalField(decimal_places=4, default=0, max_digits=18)),
                        (
                            "ad",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="hours",
                                to="campaigns.adcampaign",
                            ),
                        ),
                        (
                            "creative",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="hours",
                                to="campaigns.adcreative",
                            ),
                        ),
                        (
                            "placement",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="hours",
                                to="campaigns.adplacement",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="AdPurse",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "ad",
                                "day",
                                "slot",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("day", models.DateField()),
                        ("slot", models.SmallIntegerField()),
                        ("money", models.DecimalField(decimal_places=6, default=0, max_digits=18)),
                        (
                            "ad",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="purses",
                                to="campaigns.adcampaign",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="AdRound",
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
                        ("shares", models.JSONField(default=dict)),
                        ("seen", models.JSONField(default=dict)),
                        ("values", models.JSONField(default=dict)),
                        ("reason", models.CharField(max_length=12)),
                        (
                            "ad",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="rounds",
                                to="campaigns.adcampaign",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-at", "-id"],
                    },
                ),
                migrations.CreateModel(
                    name="LinkCheck",
                    fields=[
                        (
                            "campaign",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="link_check",
                                serialize=False,
                                to="campaigns.campaign",
                            ),
                        ),
                        ("digest", models.CharField(max_length=64)),
                        ("found", models.JSONField(default=list)),
                        ("checked_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                ),
                migrations.CreateModel(
                    name="Trial",
                    fields=[
                        (
                            "campaign",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="trial",
                                serialize=False,
                                to="campaigns.campaign",
                            ),
                        ),
                        (
                            "mode",
                            models.CharField(
                                choices=[
                                    ("fixed", "Fixed shares"),
                                    ("winner", "The winner gets the rest"),
                                    ("bandit", "Shares follow the answers"),
                                    ("person", "Each person gets what suits people like them"),
                                ],
                                default="fixed",
                                max_length=6,
                            ),
                        ),
                        (
                            "metric",
                            models.CharField(
                                choices=[
                                    ("clicked", "Clicked"),
                                    ("opened", "Opened"),
                                    ("ordered", "Ordered"),
                                ],
                                default="clicked",
                                max_length=7,
                            ),
                        ),
                        ("hypothesis", models.CharField(blank=True, max_length=300)),
                        ("first_percent", models.PositiveSmallIntegerField(default=20)),
                        ("hours", models.PositiveSmallIntegerField(default=4)),
                        ("rounds", models.PositiveSmallIntegerField(default=1)),
                        ("win_percent", models.FloatField(default=95)),
                        ("floor_percent", models.FloatField(default=5)),
                        (
                            "budget",
                            models.DecimalField(
                                blank=True, decimal_places=2, max_digits=14, null=True
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Approval",
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
                        ("digest", models.CharField(max_length=64)),
                        (
                            "said",
                            models.CharField(
                                choices=[
                                    ("asked", "Asked for"),
                                    ("yes", "Approved"),
                                    ("no", "Declined"),
                                ],
                                default="asked",
                                max_length=5,
                            ),
                        ),
                        ("comment", models.CharField(blank=True, max_length=500)),
                        ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("decided_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "asked_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "decided_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "campaign",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="approvals",
                                to="campaigns.campaign",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Channel",
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
                        ("name", models.CharField(max_length=100, unique=True)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("email", "E-mail"),
                                    ("sms", "SMS"),
                                    ("push", "Web push"),
                                    ("webhook", "Webhook"),
                                    ("inbox", "In-app inbox"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("provider", models.CharField(max_length=40)),
                        ("settings", models.JSONField(default=dict)),
                        ("secrets", models.JSONField(default=dict, editable=False)),
                        ("from_name", models.CharField(blank=True, default="", max_length=100)),
                        ("from_address", models.CharField(blank=True, default="", max_length=254)),
                        ("rate_per_second", models.FloatField(blank=True, null=True)),
                        ("warmup_per_day", models.PositiveIntegerField(blank=True, null=True)),
                        ("warmup_since", models.DateField(blank=True, null=True)),
                        (
                            "domain_rates",
                            models.JSONField(
                                blank=True,
                                db_default=models.Value({}, output_field=models.JSONField()),
                                default=dict,
                            ),
                        ),
                        ("enabled", models.BooleanField(default=True)),
                        ("off_reason", models.CharField(blank=True, default="", max_length=500)),
                        ("is_default", models.BooleanField(default=False)),
                        ("last_ok_at", models.DateTimeField(blank=True, null=True)),
                        ("last_error", models.CharField(blank=True, default="", max_length=500)),
                        ("last_error_at", models.DateTimeField(blank=True, null=True)),
                        ("failing_since", models.DateTimeField(blank=True, null=True)),
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
                    ],
                    options={
                        "ordering": ["kind", "-is_default", "name"],
                    },
                ),
                migrations.CreateModel(
                    name="GlobalHoldout",
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
                        ("percent", models.FloatField()),
                        ("salt", models.CharField(max_length=32)),
                        ("since", models.DateTimeField(default=django.utils.timezone.now)),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
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
                        "ordering": ["-since", "-id"],
                    },
                ),
                migrations.CreateModel(
                    name="InboxItem",
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
                        ("key", models.CharField(max_length=64, unique=True)),
                        ("title", models.CharField(max_length=300)),
                        ("body", models.TextField(blank=True)),
                        ("url", models.CharField(blank=True, default="", max_length=2000)),
                        ("icon", models.CharField(blank=True, default="", max_length=2000)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("read_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "customer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.customer",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Journey",
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
                        ("name", models.CharField(max_length=120)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("draft", "Draft"),
                                    ("live", "Live"),
                                    ("paused", "Paused"),
                                    ("closed", "Closed"),
                                ],
                                default="draft",
                                max_length=6,
                            ),
                        ),
                        ("draft", models.JSONField(default=dict)),
                        ("draft_number", models.PositiveIntegerField(default=1)),
                        ("draft_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("origin", models.CharField(blank=True, default="", max_length=40)),
                        ("paused_reason", models.CharField(blank=True, default="", max_length=300)),
                        ("is_demo", models.BooleanField(default=False)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Enrollment",
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
                        ("key", models.CharField(max_length=120)),
                        ("slot", models.CharField(blank=True, default="", max_length=200)),
                        ("node", models.CharField(max_length=40)),
                        ("arrived_at", models.DateTimeField()),
                        ("wake_at", models.DateTimeField(blank=True, null=True)),
                        ("heard_at", models.DateTimeField(blank=True, null=True)),
                        ("context", models.JSONField(default=dict)),
                        ("waited", models.JSONField(blank=True, null=True)),
                        ("steps", models.PositiveIntegerField(default=0)),
                        ("entered_at", models.DateTimeField()),
                        ("goal_at", models.DateTimeField(blank=True, null=True)),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "outcome",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("goal", "Reached the goal"),
                                    ("exit", "Left"),
                                    ("finished", "Came to the end"),
                                    ("closed", "The journey was closed"),
                                    ("stuck", "Stopped: too many steps at once"),
                                    ("merged", "Was found to be somebody already inside"),
                                    ("held", "Held out to measure the journey"),
                                    ("taken", "Was taken out by hand"),
                                ],
                                default="",
                                max_length=8,
                            ),
                        ),
                        (
                            "note",
                            models.CharField(blank=True, db_default="", default="", max_length=200),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="enrollments",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "journey",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="enrollments",
                                to="campaigns.journey",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="JourneyHeard",
                    fields=[
                        ("event_id", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("at", models.DateTimeField()),
                    ],
                    options={
                        "indexes": [
                            django.contrib.postgres.indexes.BrinIndex(
                                fields=["at"], name="journey_heard_at"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="JourneyReading",
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
                        ("day", models.PositiveIntegerField()),
                        ("since", models.DateTimeField()),
                        ("until", models.DateTimeField()),
                        ("arms", models.JSONField(default=dict)),
                        (
                            "journey",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="readings",
                                to="campaigns.journey",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="JourneyTally",
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
                        (
                            "reason",
                            models.CharField(
                                choices=[
                                    ("capped", "So many had come in that day already"),
                                    ("inside", "They were inside already"),
                                    ("again", "They had been in before"),
                                    ("rule", "They did not meet the condition"),
                                    ("late", "What they did was told too late"),
                                ],
                                max_length=6,
                            ),
                        ),
                        ("people", models.BigIntegerField(default=0)),
                        (
                            "journey",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="turned_away",
                                to="campaigns.journey",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="JourneyVersion",
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
                        ("number", models.PositiveIntegerField()),
                        ("definition", models.JSONField()),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("live", "Live"),
                                    ("ending", "People finish it"),
                                    ("closed", "Closed"),
                                ],
                                default="live",
                                max_length=6,
                            ),
                        ),
                        ("published_at", models.DateTimeField()),
                        ("closed_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "journey",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="versions",
                                to="campaigns.journey",
                            ),
                        ),
                        (
                            "published_by",
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
                        "ordering": ["-number"],
                    },
                ),
                migrations.CreateModel(
                    name="JourneyStep",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "enrollment",
                                "n",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("n", models.PositiveIntegerField()),
                        ("node", models.CharField(max_length=40)),
                        ("branch", models.CharField(blank=True, default="", max_length=20)),
                        ("what", models.CharField(blank=True, default="", max_length=12)),
                        ("at", models.DateTimeField()),
                        (
                            "enrollment",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="log",
                                to="campaigns.enrollment",
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="log",
                                to="campaigns.journeyversion",
                            ),
                        ),
                    ],
                ),
                migrations.AddField(
                    model_name="enrollment",
                    name="version",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="enrollments",
                        to="campaigns.journeyversion",
                    ),
                ),
                migrations.CreateModel(
                    name="MessageBody",
                    fields=[
                        (
                            "message",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="body",
                                serialize=False,
                                to="campaigns.message",
                            ),
                        ),
                        ("mime", models.BinaryField()),
                    ],
                ),
                migrations.CreateModel(
                    name="PersonList",
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
                        ("name", models.CharField(max_length=120)),
                        ("description", models.CharField(blank=True, max_length=500)),
                        ("file_name", models.CharField(blank=True, max_length=255)),
                        ("rows", models.BigIntegerField(default=0)),
                        ("people", models.BigIntegerField(default=0)),
                        ("unknown", models.BigIntegerField(default=0)),
                        ("read_at", models.DateTimeField(blank=True, null=True)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="PersonListMember",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "list",
                                "customer",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
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
                            "list",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="members",
                                to="campaigns.personlist",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="PushSubscription",
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
                        ("anonymous_id", models.CharField(blank=True, default="", max_length=254)),
                        ("endpoint", models.CharField(max_length=1000, unique=True)),
                        ("p256dh", models.CharField(max_length=100)),
                        ("auth", models.CharField(max_length=40)),
                        ("language", models.CharField(blank=True, default="", max_length=10)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        ("ended_reason", models.CharField(blank=True, default="", max_length=100)),
                        (
                            "customer",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.customer",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Returned",
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
                        ("mark", models.CharField(max_length=64, unique=True)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("delivered", "Delivered"),
                                    ("bounce", "Bounced"),
                                    ("delay", "Delayed"),
                                    ("complaint", "Complaint"),
                                    ("auto_reply", "Automatic reply"),
                                    ("stop", "Asked for no more"),
                                    ("start", "Asked to hear again"),
                                    ("other", "Something else"),
                                ],
                                max_length=10,
                            ),
                        ),
                        (
                            "cause",
                            models.CharField(
                                choices=[
                                    ("mailbox", "The mailbox does not exist"),
                                    ("full", "The mailbox is full"),
                                    ("policy", "Refused for how we send"),
                                    ("content", "Refused for what the mail holds"),
                                    ("temporary", "Could not be delivered in time"),
                                    ("unknown", "No reason given"),
                                ],
                                default="unknown",
                                max_length=10,
                            ),
                        ),
                        ("status", models.CharField(blank=True, max_length=12)),
                        ("text", models.CharField(blank=True, max_length=400)),
                        ("source", models.CharField(max_length=40)),
                        (
                            "ref",
                            models.CharField(blank=True, db_default="", default="", max_length=200),
                        ),
                        ("at", models.DateTimeField()),
                        ("answer_until", models.DateTimeField(blank=True, null=True)),
                        (
                            "message",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="returned",
                                to="campaigns.message",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Run",
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
                            "name",
                            models.CharField(blank=True, db_default="", default="", max_length=120),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("running", "Sending"),
                                    ("paused", "Paused"),
                                    ("finished", "Finished"),
                                    ("cancelled", "Cancelled"),
                                ],
                                default="running",
                                max_length=10,
                            ),
                        ),
                        ("audience", models.BigIntegerField(default=0)),
                        ("snapshot", models.JSONField(default=dict)),
                        (
                            "erased",
                            models.JSONField(
                                db_default=models.Value({}, output_field=models.JSONField()),
                                default=dict,
                            ),
                        ),
                        ("error", models.TextField(blank=True)),
                        ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("finished_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "campaign",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="runs",
                                to="campaigns.campaign",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Round",
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
                        ("number", models.PositiveSmallIntegerField()),
                        ("shares", models.JSONField(default=dict)),
                        ("seen", models.JSONField(default=dict)),
                        (
                            "sets",
                            models.JSONField(
                                db_default=models.Value({}, output_field=models.JSONField()),
                                default=dict,
                            ),
                        ),
                        ("policies", models.JSONField(default=dict)),
                        ("people", models.BigIntegerField(default=0)),
                        ("reason", models.CharField(blank=True, max_length=20)),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="rounds",
                                to="campaigns.run",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["run", "number"],
                    },
                ),
                migrations.CreateModel(
                    name="Reading",
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
                        ("day", models.PositiveSmallIntegerField()),
                        ("until", models.DateTimeField()),
                        ("arms", models.JSONField(default=dict)),
                        ("taken_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "holdout",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="readings",
                                to="campaigns.globalholdout",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="readings",
                                to="campaigns.run",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["day"],
                    },
                ),
                migrations.AddField(
                    model_name="message",
                    name="run",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to="campaigns.run",
                    ),
                ),
                migrations.CreateModel(
                    name="MailPieces",
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
                        ("number", models.BigIntegerField()),
                        ("data", models.BinaryField()),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="campaigns.run",
                            ),
                        ),
                    ],
                ),
                migrations.AddField(
                    model_name="journeyversion",
                    name="run",
                    field=models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="journey_version",
                        to="campaigns.run",
                    ),
                ),
                migrations.CreateModel(
                    name="Choice",
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
                        ("number", models.PositiveSmallIntegerField()),
                        ("variant", models.CharField(max_length=10)),
                        ("chance", models.FloatField()),
                        ("known", models.JSONField(default=list)),
                        (
                            "customer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="choices",
                                to="campaigns.run",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="SavedBlock",
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
                        ("name", models.CharField(max_length=120)),
                        ("key", models.CharField(max_length=60, unique=True)),
                        ("blocks", models.JSONField(default=list)),
                        ("languages", models.JSONField(blank=True, default=dict)),
                        ("version", models.IntegerField(default=0)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                        "ordering": ["name", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="SavedBlockVersion",
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
                        ("said", models.JSONField(default=dict)),
                        ("restored", models.IntegerField(blank=True, null=True)),
                        ("saved_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "block",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="versions",
                                to="campaigns.savedblock",
                            ),
                        ),
                        (
                            "saved_by",
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
                        "ordering": ["-number"],
                        "abstract": False,
                    },
                ),
                migrations.CreateModel(
                    name="SeedTest",
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
                        ("title", models.CharField(max_length=120)),
                        ("variant", models.CharField(blank=True, default="", max_length=10)),
                        ("content", models.JSONField(default=dict)),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "asked_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "campaign",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="seed_tests",
                                to="campaigns.campaign",
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
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="SeedCopy",
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
                        ("label", models.CharField(max_length=80)),
                        ("address", models.CharField(max_length=254)),
                        ("key", models.CharField(max_length=32, unique=True)),
                        ("message_id", models.CharField(blank=True, default="", max_length=300)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("queued", "Waits to be sent"),
                                    ("sending", "Being sent"),
                                    ("refused", "Not sent"),
                                    ("looking", "Not there yet"),
                                    ("found", "Arrived"),
                                    ("missing", "Not found"),
                                    ("unseen", "Sent; nobody looks into this mailbox"),
                                ],
                                default="queued",
                                max_length=8,
                            ),
                        ),
                        (
                            "place",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("inbox", "Inbox"),
                                    ("spam", "Spam"),
                                    ("other", "Another folder"),
                                ],
                                default="",
                                max_length=5,
                            ),
                        ),
                        ("folder", models.CharField(blank=True, default="", max_length=200)),
                        ("sent_at", models.DateTimeField(blank=True, null=True)),
                        ("arrived_at", models.DateTimeField(blank=True, null=True)),
                        ("spf", models.CharField(blank=True, default="", max_length=12)),
                        ("dkim", models.CharField(blank=True, default="", max_length=12)),
                        ("dmarc", models.CharField(blank=True, default="", max_length=12)),
                        (
                            "authentication",
                            models.CharField(blank=True, default="", max_length=2000),
                        ),
                        ("looks", models.PositiveSmallIntegerField(default=0)),
                        ("looked_at", models.DateTimeField(blank=True, null=True)),
                        ("next_look_at", models.DateTimeField(blank=True, null=True)),
                        ("error", models.CharField(blank=True, default="", max_length=500)),
                        (
                            "mailbox",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="copies",
                                to="campaigns.seedmailbox",
                            ),
                        ),
                        (
                            "test",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="copies",
                                to="campaigns.seedtest",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["label", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="SegmentUpkeep",
                    fields=[
                        (
                            "segment",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="upkeep",
                                serialize=False,
                                to="campaigns.segment",
                            ),
                        ),
                        ("signature", models.CharField(max_length=32)),
                        ("position", models.TextField()),
                        ("as_of", models.DateTimeField()),
                        ("looked_at", models.DateTimeField()),
                        ("built_at", models.DateTimeField()),
                        ("people", models.BigIntegerField(default=0)),
                        ("fault", models.CharField(blank=True, max_length=300)),
                    ],
                    options={
                        "verbose_name_plural": "segment upkeep",
                    },
                ),
                migrations.AddField(
                    model_name="campaign",
                    name="exclude",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="excluded_by",
                        to="campaigns.segment",
                    ),
                ),
                migrations.AddField(
                    model_name="campaign",
                    name="segment",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="campaigns",
                        to="campaigns.segment",
                    ),
                ),
                migrations.CreateModel(
                    name="AdExport",
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
                        ("public_id", models.UUIDField(default=uuid.uuid4, unique=True)),
                        ("segment_name", models.CharField(max_length=120)),
                        (
                            "format",
                            models.CharField(
                                choices=[
                                    ("google", "Google Customer Match"),
                                    ("meta", "Meta Custom Audiences"),
                                    ("tiktok", "TikTok Customer File"),
                                ],
                                max_length=6,
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("writing", "Being written"),
                                    ("ready", "Ready"),
                                    ("failed", "Failed"),
                                    ("gone", "File deleted"),
                                ],
                                default="writing",
                                max_length=7,
                            ),
                        ),
                        ("meant", models.BigIntegerField(default=0)),
                        ("people", models.BigIntegerField(default=0)),
                        ("left_out", models.JSONField(default=dict)),
                        ("file", models.CharField(blank=True, max_length=200)),
                        ("size", models.BigIntegerField(default=0)),
                        ("downloads", models.IntegerField(default=0)),
                        ("created_by_label", models.CharField(blank=True, max_length=200)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("ready_at", models.DateTimeField(blank=True, null=True)),
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
                            "segment",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="campaigns.segment",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="SegmentMember",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "segment",
                                "customer",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("since", models.DateTimeField()),
                        (
                            "customer",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="memberships",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "segment",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="members",
                                to="campaigns.segment",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="SegmentMove",
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
                        ("entered", models.BooleanField()),
                        ("at", models.DateTimeField()),
                        (
                            "cause",
                            models.CharField(
                                choices=[
                                    ("rule", "Rule"),
                                    ("change", "Change"),
                                    ("time", "Time"),
                                    ("erased", "Erased"),
                                ],
                                max_length=6,
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="segment_moves",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "segment",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="moves",
                                to="campaigns.segment",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                    },
                ),
                migrations.CreateModel(
                    name="SegmentSize",
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
                        ("size", models.BigIntegerField()),
                        (
                            "segment",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="sizes",
                                to="campaigns.segment",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["at"],
                    },
                ),
                migrations.CreateModel(
                    name="SendingRules",
                    fields=[
                        (
                            "id",
                            models.SmallIntegerField(default=1, primary_key=True, serialize=False),
                        ),
                        ("caps", models.JSONField(default=list)),
                        ("quiet", models.JSONField(default=dict)),
                        ("approval", models.BooleanField(db_default=False, default=False)),
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
                    name="Spend",
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
                                choices=[("sum", "In all"), ("each", "For each message")],
                                default="sum",
                                max_length=4,
                            ),
                        ),
                        ("amount", models.DecimalField(decimal_places=4, max_digits=14)),
                        (
                            "channel",
                            models.CharField(blank=True, db_default="", default="", max_length=10),
                        ),
                        ("note", models.CharField(blank=True, max_length=120)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "campaign",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="spends",
                                to="campaigns.campaign",
                            ),
                        ),
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
                        "ordering": ["created_at", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="Template",
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
                                    ("email", "E-mail"),
                                    ("sms", "SMS"),
                                    ("push", "Web push"),
                                    ("webhook", "Webhook"),
                                    ("inbox", "In-app inbox"),
                                ],
                                db_default="email",
                                default="email",
                                max_length=10,
                            ),
                        ),
                        (
                            "parts",
                            models.JSONField(
                                blank=True,
                                db_default=models.Value({}, output_field=models.JSONField()),
                                default=dict,
                            ),
                        ),
                        ("name", models.CharField(max_length=120)),
                        ("subject", models.CharField(blank=True, max_length=300)),
                        ("preheader", models.CharField(blank=True, max_length=300)),
                        (
                            "written_in",
                            models.CharField(
                                choices=[("blocks", "Blocks"), ("mjml", "MJML"), ("html", "HTML")],
                                db_default="mjml",
                                default="mjml",
                                max_length=6,
                            ),
                        ),
                        (
                            "blocks",
                            models.JSONField(
                                blank=True,
                                db_default=models.Value([], output_field=models.JSONField()),
                                default=list,
                            ),
                        ),
                        ("mjml", models.TextField(blank=True)),
                        ("html", models.TextField(blank=True)),
                        ("text", models.TextField(blank=True)),
                        (
                            "languages",
                            models.JSONField(
                                blank=True,
                                db_default=models.Value({}, output_field=models.JSONField()),
                                default=dict,
                            ),
                        ),
                        ("version", models.IntegerField(default=1)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                        "ordering": ["-id"],
                    },
                ),
                migrations.AddField(
                    model_name="seedtest",
                    name="template",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="seed_tests",
                        to="campaigns.template",
                    ),
                ),
                migrations.AddField(
                    model_name="campaign",
                    name="template",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="campaigns",
                        to="campaigns.template",
                    ),
                ),
                migrations.CreateModel(
                    name="TemplateVersion",
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
                        ("said", models.JSONField(default=dict)),
                        ("restored", models.IntegerField(blank=True, null=True)),
                        ("saved_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "saved_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "template",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="versions",
                                to="campaigns.template",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-number"],
                        "abstract": False,
                    },
                ),
                migrations.CreateModel(
                    name="Untold",
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
                            "messages",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.BigIntegerField(), size=None
                            ),
                        ),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="campaigns.run",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Variant",
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
                        ("key", models.CharField(max_length=10)),
                        ("name", models.CharField(blank=True, max_length=80)),
                        ("weight", models.PositiveSmallIntegerField(default=1)),
                        ("hour", models.PositiveSmallIntegerField(blank=True, null=True)),
                        (
                            "campaign",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="variants",
                                to="campaigns.campaign",
                            ),
                        ),
                        (
                            "template",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="variants",
                                to="campaigns.template",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["campaign", "key"],
                    },
                ),
                migrations.CreateModel(
                    name="Waiver",
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
                        ("digest", models.CharField(max_length=64)),
                        ("groups", models.JSONField(default=list)),
                        ("reason", models.TextField()),
                        ("given_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "campaign",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="waivers",
                                to="campaigns.campaign",
                            ),
                        ),
                        (
                            "given_by",
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
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="AdHit",
                    fields=[
                        ("key", models.UUIDField(primary_key=True, serialize=False)),
                        ("kind", models.SmallIntegerField()),
                        ("digest", models.BigIntegerField()),
                        ("at", models.DateTimeField()),
                        ("cause", models.UUIDField(null=True)),
                        ("cause_at", models.DateTimeField(null=True)),
                        ("cost", models.DecimalField(decimal_places=6, default=0, max_digits=14)),
                        ("value", models.DecimalField(decimal_places=4, default=0, max_digits=14)),
                        ("chance", models.FloatField(null=True)),
                        ("learnable", models.BooleanField(default=False)),
                        ("country", models.CharField(default="", max_length=2)),
                        ("device", models.SmallIntegerField(default=0)),
                        ("recency", models.SmallIntegerField(default=0)),
                        ("orders", models.SmallIntegerField(default=0)),
                        (
                            "ad",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="campaigns.adcampaign",
                            ),
                        ),
                        (
                            "creative",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="campaigns.adcreative",
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "placement",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="campaigns.adplacement",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("cause__isnull", False)),
                                fields=["cause"],
                                name="ad_hit_cause",
                            ),
                            models.Index(
                                condition=models.Q(("customer__isnull", False)),
                                fields=["customer"],
                                name="ad_hit_person",
                            ),
                            django.contrib.postgres.indexes.BrinIndex(
                                fields=["at"], name="ad_hit_at"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AdChoice",
                    fields=[
                        (
                            "key",
                            models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False),
                        ),
                        ("at", models.DateTimeField()),
                        ("day", models.DateField()),
                        ("chance", models.FloatField()),
                        ("price", models.DecimalField(decimal_places=6, default=0, max_digits=14)),
                        ("reason", models.CharField(blank=True, max_length=10)),
                        ("shown", models.BooleanField(default=False)),
                        ("freed", models.BooleanField(default=False)),
                        (
                            "ad",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="campaigns.adcampaign",
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "creative",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="campaigns.adcreative",
                            ),
                        ),
                        (
                            "placement",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="campaigns.adplacement",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("freed", False)),
                                fields=["at"],
                                name="ad_choice_open",
                            ),
                            models.Index(
                                condition=models.Q(("customer__isnull", False)),
                                fields=["customer"],
                                name="ad_choice_person",
                            ),
                            django.contrib.postgres.indexes.BrinIndex(
                                fields=["at"], name="ad_choice_at"
                            ),
                        ],
                    },
                ),
                migrations.AddConstraint(
                    model_name="adcampaign",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("ends_on__gte", models.F("starts_on"))), name="ad_days"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="adcampaign",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("budget__gt", 0), ("price__gt", 0)), name="ad_money"
                    ),
                ),
                migrations.AddIndex(
                    model_name="adround",
                    index=models.Index(fields=["ad", "-at"], name="ad_round_newest"),
                ),
                migrations.AddConstraint(
                    model_name="approval",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            ("decided_by", None),
                            ("asked_by", None),
                            models.Q(("decided_by", models.F("asked_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="approval_by_another",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="channel",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("is_default", True)),
                        fields=("kind",),
                        name="channel_default_once",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="globalholdout",
                    constraint=models.UniqueConstraint(
                        models.Value(1),
                        condition=models.Q(("ended_at", None)),
                        name="one_global_holdout",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="globalholdout",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("percent__gt", 0), ("percent__lte", 20)),
                        name="global_holdout_share",
                    ),
                ),
                migrations.AddIndex(
                    model_name="inboxitem",
                    index=models.Index(fields=["customer", "-id"], name="inbox_newest"),
                ),
                migrations.AddConstraint(
                    model_name="journeyreading",
                    constraint=models.UniqueConstraint(
                        fields=("journey", "day"), name="journey_reading_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="journeytally",
                    constraint=models.UniqueConstraint(
                        fields=("journey", "day", "reason"), name="journey_tally_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="journeystep",
                    index=models.Index(
                        fields=["version", "node", "branch", "what"], name="journey_passed"
                    ),
                ),
                migrations.AddIndex(
                    model_name="enrollment",
                    index=models.Index(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["version", "wake_at"],
                        name="enrollment_wake",
                    ),
                ),
                migrations.AddIndex(
                    model_name="enrollment",
                    index=models.Index(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["version", "node"],
                        name="enrollment_at",
                    ),
                ),
                migrations.AddIndex(
                    model_name="enrollment",
                    index=models.Index(
                        fields=["journey", "customer", "entered_at"], name="enrollment_person"
                    ),
                ),
                migrations.AddIndex(
                    model_name="enrollment",
                    index=models.Index(fields=["journey", "entered_at"], name="enrollment_entered"),
                ),
                migrations.AddIndex(
                    model_name="enrollment",
                    index=models.Index(fields=["version", "outcome"], name="enrollment_outcome"),
                ),
                migrations.AddConstraint(
                    model_name="enrollment",
                    constraint=models.UniqueConstraint(
                        fields=("journey", "key"), name="enrollment_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="enrollment",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("journey", "customer", "slot"),
                        name="enrollment_open_once",
                    ),
                ),
                migrations.AddIndex(
                    model_name="pushsubscription",
                    index=models.Index(
                        condition=models.Q(
                            models.Q(("anonymous_id", ""), _negated=True),
                            ("ended_at__isnull", True),
                        ),
                        fields=["anonymous_id"],
                        name="push_visitor",
                    ),
                ),
                migrations.AddIndex(
                    model_name="returned",
                    index=models.Index(fields=["at"], name="returned_at"),
                ),
                migrations.AddIndex(
                    model_name="returned",
                    index=models.Index(
                        condition=models.Q(("answer_until__isnull", False)),
                        fields=["answer_until"],
                        name="returned_unanswered",
                    ),
                ),
                migrations.AddIndex(
                    model_name="returned",
                    index=models.Index(
                        condition=models.Q(("ref", ""), _negated=True),
                        fields=["ref"],
                        name="returned_early",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="round",
                    constraint=models.UniqueConstraint(fields=("run", "number"), name="round_once"),
                ),
                migrations.AddConstraint(
                    model_name="reading",
                    constraint=models.UniqueConstraint(
                        fields=("run", "day"), name="reading_of_run_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="reading",
                    constraint=models.UniqueConstraint(
                        fields=("holdout", "day"), name="reading_of_holdout_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="reading",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("holdout__isnull", False), ("run", None)),
                            models.Q(("holdout", None), ("run__isnull", False)),
                            _connector="OR",
                        ),
                        name="reading_of_one_thing",
                    ),
                ),
                migrations.AddIndex(
                    model_name="message",
                    index=models.Index(
                        condition=models.Q(("state", "queued")),
                        fields=["run", "next_try_at", "id"],
                        name="message_due",
                    ),
                ),
                migrations.AddIndex(
                    model_name="message",
                    index=models.Index(
                        condition=models.Q(("first_try_at__isnull", False), ("state", "queued")),
                        fields=["first_try_at"],
                        name="message_tried",
                    ),
                ),
                migrations.AddIndex(
                    model_name="message",
                    index=models.Index(
                        condition=models.Q(("complained_at__isnull", False)),
                        fields=["run"],
                        name="message_complained",
                    ),
                ),
                migrations.AddIndex(
                    model_name="message",
                    index=models.Index(
                        condition=models.Q(("provider_ref", ""), _negated=True),
                        fields=["provider_ref"],
                        name="message_ref",
                    ),
                ),
                migrations.AddIndex(
                    model_name="message",
                    index=models.Index(
                        condition=models.Q(("state", "sending")),
                        fields=["lease_until"],
                        name="message_leased",
                    ),
                ),
                migrations.AddIndex(
                    model_name="message",
                    index=models.Index(fields=["run", "state"], name="message_state"),
                ),
                migrations.AddIndex(
                    model_name="message",
                    index=models.Index(fields=["customer", "claimed_at"], name="message_of_person"),
                ),
                migrations.AddIndex(
                    model_name="message",
                    index=models.Index(
                        condition=models.Q(("state__in", ["skipped", "failed", "unknown"])),
                        fields=["queued_at", "reason", "channel", "state"],
                        name="message_unsent",
                    ),
                ),
                migrations.AddIndex(
                    model_name="message",
                    index=models.Index(
                        condition=models.Q(("first_customer_id__isnull", False)),
                        fields=["first_customer_id"],
                        name="message_first_customer",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="message",
                    constraint=models.UniqueConstraint(
                        fields=("run", "customer", "entry", "step", "channel"), name="message_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="message",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("reach", ""), _negated=True),
                        fields=("run", "customer", "entry", "step"),
                        name="message_by_one_channel",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="mailpieces",
                    constraint=models.UniqueConstraint(
                        fields=("run", "number"), name="pieces_of_run"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="journeyversion",
                    constraint=models.UniqueConstraint(
                        fields=("journey", "number"), name="journey_version_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="journeyversion",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("state", "live")),
                        fields=("journey",),
                        name="journey_live_once",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="choice",
                    constraint=models.UniqueConstraint(
                        fields=("run", "customer"), name="choice_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="savedblockversion",
                    constraint=models.UniqueConstraint(
                        fields=("block", "number"), name="saved_block_version_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="seedcopy",
                    index=models.Index(
                        condition=models.Q(("state__in", ["queued", "sending", "looking"])),
                        fields=["next_look_at"],
                        name="seedcopy_open",
                    ),
                ),
                migrations.AddIndex(
                    model_name="segmentmove",
                    index=models.Index(fields=["segment", "id"], name="segment_move"),
                ),
                migrations.AddIndex(
                    model_name="segmentmove",
                    index=models.Index(
                        condition=models.Q(("cause", "rule"), _negated=True),
                        fields=["segment", "at"],
                        include=("entered",),
                        name="segment_move_at",
                    ),
                ),
                migrations.AddIndex(
                    model_name="segmentmove",
                    index=django.contrib.postgres.indexes.BrinIndex(
                        autosummarize=True, fields=["at"], name="move_at", pages_per_range=32
                    ),
                ),
                migrations.AddIndex(
                    model_name="segmentsize",
                    index=models.Index(fields=["segment", "at"], name="segment_size_at"),
                ),
                migrations.AddConstraint(
                    model_name="spend",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="spend_positive"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="templateversion",
                    constraint=models.UniqueConstraint(
                        fields=("template", "number"), name="template_version_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="variant",
                    constraint=models.UniqueConstraint(
                        fields=("campaign", "key"), name="variant_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="variant",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("hour", None), ("hour__lt", 24), _connector="OR"),
                        name="variant_hour_of_a_day",
                    ),
                ),
            ]
        )
    ]
