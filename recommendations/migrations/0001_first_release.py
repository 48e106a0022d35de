"""The tables of placements, picks and offers, as the first release has them."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from marketing.core.tables import Tables


class Migration(migrations.Migration):
    replaces = [
        ("recommendations", "0001_initial"),
        ("recommendations", "0002_placements_and_links"),
        ("recommendations", "0003_offers"),
        ("recommendations", "0004_new_products"),
    ]

    initial = True

    dependencies = [
        ("ingestion", "0001_first_release"),
        ("models_ml", "0001_first_release"),
    ]

    operations = [
        Tables(
            [
                migrations.CreateModel(
                    name="OfferPlan",
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
                        ("slug", models.SlugField(unique=True)),
                        ("name", models.CharField(max_length=100)),
                        (
                            "kind",
                            models.CharField(
                                choices=[("retail", "Goods"), ("financial", "Financial products")],
                                default="retail",
                                max_length=10,
                            ),
                        ),
                        ("group", models.CharField(blank=True, default="", max_length=100)),
                        ("budget", models.DecimalField(decimal_places=2, max_digits=14)),
                        ("currency", models.CharField(max_length=3)),
                        (
                            "contact_cost",
                            models.DecimalField(decimal_places=4, default=0, max_digits=10),
                        ),
                        ("margin", models.FloatField(default=1.0)),
                        ("buys", models.CharField(blank=True, default="", max_length=60)),
                        ("effect", models.CharField(blank=True, default="", max_length=60)),
                        ("offers", models.JSONField(default=list)),
                        ("result", models.JSONField(default=dict)),
                        ("planned_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                ),
                migrations.CreateModel(
                    name="Placement",
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
                        ("slug", models.SlugField(unique=True)),
                        ("name", models.CharField(max_length=100)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("home", "Home page"),
                                    ("similar", "Product page: similar products"),
                                    ("together", "Product page: bought together"),
                                    ("basket", "Basket"),
                                    ("message", "Mails, texts and pushes"),
                                    ("after", "After a purchase"),
                                    ("replenish", "Time to buy again"),
                                ],
                                default="message",
                                max_length=10,
                            ),
                        ),
                        ("enabled", models.BooleanField(default=True)),
                        ("size", models.IntegerField(default=10)),
                        ("engine", models.CharField(blank=True, default="", max_length=20)),
                        ("rival", models.CharField(blank=True, default="", max_length=20)),
                        ("rival_percent", models.SmallIntegerField(default=0)),
                        ("holdout_percent", models.SmallIntegerField(default=0)),
                        (
                            "holdout_shows",
                            models.CharField(
                                choices=[("popular", "what is popular"), ("nothing", "nothing")],
                                default="popular",
                                max_length=8,
                            ),
                        ),
                        ("rules", models.JSONField(default=dict)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                ),
                migrations.CreateModel(
                    name="VisitorMark",
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
                        ("event_id", models.BigIntegerField(default=0)),
                    ],
                ),
                migrations.CreateModel(
                    name="LinkSet",
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
                        ("complete", models.BooleanField(default=False)),
                        ("made_at", models.DateTimeField()),
                        ("popular", models.JSONField(default=dict)),
                        ("metrics", models.JSONField(default=dict)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("complete", True)),
                                fields=("complete",),
                                name="link_set_one_complete",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="RecommendationSet",
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
                        ("engine", models.CharField(max_length=20)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("building", "Being made"),
                                    ("complete", "Complete"),
                                    ("retired", "Replaced"),
                                ],
                                default="building",
                                max_length=10,
                            ),
                        ),
                        ("serving", models.BooleanField(default=False)),
                        ("metrics", models.JSONField(default=dict)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "model_version",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="models_ml.modelversion",
                            ),
                        ),
                        (
                            "placement",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="sets",
                                to="recommendations.placement",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Recommendation",
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
                        ("rank", models.SmallIntegerField()),
                        ("score", models.FloatField()),
                        ("reason", models.JSONField(default=dict)),
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
                            "set",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="picks",
                                to="recommendations.recommendationset",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Visitor",
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
                        ("unit", models.CharField(max_length=102)),
                        ("arm", models.CharField(max_length=20)),
                        ("first_at", models.DateTimeField()),
                        ("last_at", models.DateTimeField()),
                        ("shown", models.IntegerField(default=0)),
                        ("clicked", models.IntegerField(default=0)),
                        ("first_click_at", models.DateTimeField(null=True)),
                        (
                            "customer",
                            models.ForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.customer",
                            ),
                        ),
                        (
                            "placement",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="visitors",
                                to="recommendations.placement",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="OfferChoice",
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
                        ("offer", models.SmallIntegerField()),
                        ("chance", models.FloatField()),
                        ("worth", models.FloatField()),
                        ("cost", models.FloatField()),
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
                            "product",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.product",
                            ),
                        ),
                        (
                            "plan",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="choices",
                                to="recommendations.offerplan",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("customer", "plan"), name="offer_once_a_plan"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ProductLink",
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
                                    ("seen", "Looked at in the same visits"),
                                    ("bought", "Bought by the same people"),
                                    ("together", "Bought in the same orders"),
                                    ("next", "Bought in the next order"),
                                    ("new", "New, and like it"),
                                ],
                                max_length=8,
                            ),
                        ),
                        ("rank", models.SmallIntegerField()),
                        ("score", models.FloatField()),
                        ("count", models.IntegerField()),
                        (
                            "other",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="ingestion.product",
                            ),
                        ),
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
                            "set",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="links",
                                to="recommendations.linkset",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("product", "kind", "set", "rank"), name="link_once"
                            )
                        ],
                    },
                ),
                migrations.AddConstraint(
                    model_name="recommendationset",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("serving", True)),
                        fields=("placement",),
                        name="placement_one_serving",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="recommendationset",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("state", "complete")),
                        fields=("placement", "engine"),
                        name="placement_engine_one_complete",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="recommendation",
                    constraint=models.UniqueConstraint(
                        fields=("customer", "set", "rank"), name="pick_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="visitor",
                    index=models.Index(fields=["placement", "first_at"], name="visitor_first"),
                ),
                migrations.AddConstraint(
                    model_name="visitor",
                    constraint=models.UniqueConstraint(
                        fields=("placement", "unit"), name="placement_visitor_once"
                    ),
                ),
            ]
        )
    ]
