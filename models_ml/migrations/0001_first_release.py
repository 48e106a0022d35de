"""The tables of models and numbers, as the first release has them."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from marketing.core.tables import Tables


class Migration(migrations.Migration):
    replaces = [
        ("models_ml", "0001_initial"),
        ("models_ml", "0004_sequences"),
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
                    name="StageFlow",
                    fields=[
                        (
                            "id",
                            models.SmallIntegerField(default=1, primary_key=True, serialize=False),
                        ),
                        ("as_of", models.DateTimeField()),
                        ("cuts", models.JSONField(default=list)),
                        ("bounds", models.JSONField(default=dict)),
                        ("flows", models.JSONField(default=dict)),
                        ("people", models.IntegerField(default=0)),
                        ("seconds", models.FloatField(default=0)),
                        ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                ),
                migrations.CreateModel(
                    name="StagePath",
                    fields=[
                        (
                            "customer",
                            models.OneToOneField(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="stage_path",
                                serialize=False,
                                to="ingestion.customer",
                            ),
                        ),
                        ("path", models.CharField(max_length=40)),
                    ],
                ),
                migrations.CreateModel(
                    name="Traits",
                    fields=[
                        (
                            "customer",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="traits",
                                serialize=False,
                                to="ingestion.customer",
                            ),
                        ),
                        ("as_of", models.DateTimeField()),
                        ("recency_days", models.FloatField(null=True)),
                        ("orders", models.IntegerField(default=0)),
                        ("units", models.BigIntegerField(default=0)),
                        ("revenue", models.FloatField(default=0)),
                        ("avg_order_value", models.FloatField(null=True)),
                        ("tenure_days", models.FloatField(null=True)),
                        ("interval_days_mean", models.FloatField(null=True)),
                        ("interval_days_std", models.FloatField(null=True)),
                        ("products", models.IntegerField(default=0)),
                        ("return_rate", models.FloatField(default=0)),
                        ("trend", models.FloatField(default=0)),
                        ("repeat_90d", models.FloatField(null=True)),
                        ("repeat_90d_leaf", models.IntegerField(null=True)),
                        ("r_score", models.SmallIntegerField(null=True)),
                        ("f_score", models.SmallIntegerField(null=True)),
                        ("m_score", models.SmallIntegerField(null=True)),
                        ("stage", models.CharField(db_default="never_ordered", max_length=13)),
                    ],
                    options={
                        "verbose_name_plural": "traits",
                    },
                ),
                migrations.CreateModel(
                    name="Clustering",
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
                        ("key", models.SlugField(unique=True)),
                        ("title", models.CharField(max_length=120)),
                        (
                            "method",
                            models.CharField(
                                choices=[("kmeans", "K-means"), ("mixture", "Gaussian mixture")],
                                default="kmeans",
                                max_length=8,
                            ),
                        ),
                        ("facts", models.JSONField(default=list)),
                        ("population", models.JSONField(blank=True, default=dict)),
                        ("wanted", models.SmallIntegerField(blank=True, null=True)),
                        ("newest", models.SmallIntegerField(default=0)),
                        ("names", models.JSONField(blank=True, default=dict)),
                        ("sizes", models.JSONField(blank=True, default=dict)),
                        (
                            "state",
                            models.CharField(
                                choices=[("active", "Active"), ("archived", "Archived")],
                                default="active",
                                max_length=8,
                            ),
                        ),
                        ("trouble", models.JSONField(blank=True, default=dict)),
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
                        "ordering": ["title", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="ClusterMember",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "clustering",
                                "customer",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("number", models.SmallIntegerField()),
                        ("chance", models.FloatField(default=1.0)),
                        (
                            "clustering",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="members",
                                to="models_ml.clustering",
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="clusters",
                                to="ingestion.customer",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Exploration",
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
                        ("key", models.SlugField(unique=True)),
                        ("title", models.CharField(max_length=120)),
                        ("target", models.JSONField(default=dict)),
                        ("horizon_days", models.IntegerField()),
                        ("population", models.JSONField(blank=True, default=dict)),
                        ("settings", models.JSONField(blank=True, default=dict)),
                        (
                            "state",
                            models.CharField(
                                choices=[("active", "Active"), ("archived", "Archived")],
                                default="active",
                                max_length=8,
                            ),
                        ),
                        ("sizes", models.JSONField(blank=True, default=dict)),
                        ("trouble", models.JSONField(blank=True, default=dict)),
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
                        "ordering": ["title", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="ModelVersion",
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
                        ("name", models.CharField(max_length=60)),
                        ("version", models.IntegerField()),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("candidate", "Candidate"),
                                    ("shadow", "In the shadow"),
                                    ("live", "Live"),
                                    ("retired", "Retired"),
                                    ("refused", "Not published"),
                                ],
                                default="candidate",
                                max_length=10,
                            ),
                        ),
                        ("algorithm", models.CharField(max_length=60)),
                        ("folder", models.CharField(blank=True, max_length=500)),
                        ("params", models.JSONField(default=dict)),
                        ("metrics", models.JSONField(default=dict)),
                        ("baseline", models.JSONField(default=dict)),
                        ("details", models.JSONField(default=dict)),
                        ("data_from", models.DateTimeField(blank=True, null=True)),
                        ("data_until", models.DateTimeField(blank=True, null=True)),
                        ("rows", models.BigIntegerField(default=0)),
                        ("seed", models.IntegerField(default=0)),
                        ("seconds", models.FloatField(default=0)),
                        ("reason", models.TextField(blank=True)),
                        ("forgotten", models.IntegerField(db_default=0, default=0)),
                        ("trained_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                        "ordering": ["name", "-version"],
                    },
                ),
                migrations.CreateModel(
                    name="Prediction",
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
                        ("key", models.SlugField(max_length=60, unique=True)),
                        ("title", models.CharField(max_length=120)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("chance", "Chance"),
                                    ("amount", "Amount"),
                                    ("date", "Date"),
                                    ("hour", "Hour"),
                                    ("degree", "Degree"),
                                    ("effect", "Effect"),
                                ],
                                max_length=6,
                            ),
                        ),
                        ("target", models.JSONField(default=dict)),
                        ("horizon_days", models.IntegerField()),
                        ("population", models.JSONField(blank=True, default=dict)),
                        ("settings", models.JSONField(blank=True, default=dict)),
                        (
                            "state",
                            models.CharField(
                                choices=[("active", "Active"), ("archived", "Archived")],
                                default="active",
                                max_length=8,
                            ),
                        ),
                        ("is_ready", models.BooleanField(default=False)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("scored_at", models.DateTimeField(blank=True, null=True)),
                        ("scored_as_of", models.DateTimeField(blank=True, null=True)),
                        ("scored_people", models.IntegerField(default=0)),
                        ("scored_version", models.IntegerField(blank=True, null=True)),
                        ("trouble", models.JSONField(blank=True, default=dict)),
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
                        "ordering": ["title", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="ProductDemand",
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
                        ("starts_at", models.DateTimeField()),
                        ("days", models.SmallIntegerField()),
                        ("mean", models.FloatField()),
                        ("low", models.FloatField()),
                        ("high", models.FloatField()),
                        ("usual", models.FloatField()),
                        ("method", models.CharField(max_length=12)),
                        (
                            "product",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.product",
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="models_ml.modelversion",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Score",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "prediction",
                                "customer",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("value", models.FloatField()),
                        ("low", models.FloatField(null=True)),
                        ("high", models.FloatField(null=True)),
                        ("percentile", models.SmallIntegerField()),
                        (
                            "customer",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="scores",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "prediction",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="scores",
                                to="models_ml.prediction",
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="models_ml.modelversion",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Watch",
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
                                    ("drift", "Drift"),
                                    ("calibration", "Calibration"),
                                    ("shadow", "Shadow"),
                                ],
                                max_length=12,
                            ),
                        ),
                        (
                            "level",
                            models.CharField(
                                choices=[("fine", "Fine"), ("watch", "Watch"), ("alarm", "Alarm")],
                                default="fine",
                                max_length=6,
                            ),
                        ),
                        ("as_of", models.DateTimeField()),
                        ("people", models.IntegerField(default=0)),
                        ("readings", models.JSONField(default=dict)),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "prediction",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="watches",
                                to="models_ml.prediction",
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="watches",
                                to="models_ml.modelversion",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name_plural": "watches",
                        "ordering": ["-at", "-id"],
                    },
                ),
                migrations.CreateModel(
                    name="WatchedAttribute",
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
                        ("name", models.CharField(max_length=220, unique=True)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("text", "As it is written"),
                                    ("number", "A number, in bands"),
                                    ("birth", "A date of birth, as age in bands"),
                                ],
                                default="text",
                                max_length=6,
                            ),
                        ),
                        ("bands", models.JSONField(blank=True, default=list)),
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
                        "ordering": ["id"],
                    },
                ),
                migrations.CreateModel(
                    name="Yardstick",
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
                                choices=[("bands", "RFM bands"), ("stages", "Bounds of stages")],
                                max_length=6,
                            ),
                        ),
                        ("version", models.IntegerField()),
                        ("body", models.JSONField(default=dict)),
                        ("applied", models.JSONField(blank=True, default=dict)),
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
                        "ordering": ["kind", "-version"],
                    },
                ),
                migrations.AddConstraint(
                    model_name="clustering",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            ("wanted__isnull", True),
                            models.Q(("wanted__gte", 2), ("wanted__lte", 10)),
                            _connector="OR",
                        ),
                        name="clustering_wanted",
                    ),
                ),
                migrations.AddIndex(
                    model_name="clustermember",
                    index=models.Index(models.F("customer"), name="cluster_member_customer"),
                ),
                migrations.AddConstraint(
                    model_name="exploration",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("horizon_days__gte", 1), ("horizon_days__lte", 3650)),
                        name="exploration_horizon",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="modelversion",
                    constraint=models.UniqueConstraint(
                        fields=("name", "version"), name="model_version_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="modelversion",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("state", "live")),
                        fields=("name",),
                        name="model_one_live",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="prediction",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("horizon_days__gte", 1), ("horizon_days__lte", 3650)),
                        name="prediction_horizon",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="productdemand",
                    constraint=models.UniqueConstraint(
                        fields=("product", "days", "starts_at"), name="demand_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="watch",
                    constraint=models.UniqueConstraint(
                        fields=("prediction", "version", "kind", "as_of"), name="watch_once"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="yardstick",
                    constraint=models.UniqueConstraint(
                        fields=("kind", "version"), name="yardstick_once"
                    ),
                ),
            ]
        )
    ]
