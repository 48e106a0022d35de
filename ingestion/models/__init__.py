"""Tables of facts: where they came from, people, goods, orders and events."""

from ingestion.models.connectors import Connector, Pull, PulledFile
from ingestion.models.consent import (
    Consent,
    ConsentText,
    Purpose,
    SuppressedDigest,
    Suppression,
)
from ingestion.models.events import Event, EventKey
from ingestion.models.goods import Order, OrderLine, Product
from ingestion.models.mentions import Mention
from ingestion.models.people import (
    Customer,
    CustomerRollup,
    Identity,
    IdentityLink,
    Merge,
    RefusedName,
    Statement,
    Twins,
)
from ingestion.models.privacy import (
    Confirmation,
    Erasure,
    PersonalExport,
    PrivacyRequest,
    RetentionRule,
    RetentionRun,
    TableSize,
)
from ingestion.models.quality import (
    Alert,
    AlertRule,
    Expectation,
    Measure,
    Problem,
    Score,
    Severity,
)
from ingestion.models.registry import (
    Drift,
    EventPlan,
    EventProperty,
    EventPropertyDay,
    EventType,
    EventVolume,
    Observation,
    PlanBreach,
    PlanRules,
    Policy,
)
from ingestion.models.sources import ImportJob, ImportTouch, Reject, Source

__all__ = [
    "Alert",
    "AlertRule",
    "Confirmation",
    "Connector",
    "Consent",
    "ConsentText",
    "Customer",
    "CustomerRollup",
    "Drift",
    "Erasure",
    "Event",
    "EventKey",
    "EventPlan",
    "EventProperty",
    "EventPropertyDay",
    "EventType",
    "EventVolume",
    "Expectation",
    "Identity",
    "IdentityLink",
    "ImportJob",
    "ImportTouch",
    "Measure",
    "Mention",
    "Observation",
    "Order",
    "OrderLine",
    "PersonalExport",
    "PlanBreach",
    "PlanRules",
    "Policy",
    "PrivacyRequest",
    "Problem",
    "Product",
    "Pull",
    "PulledFile",
    "Purpose",
    "Reject",
    "RetentionRule",
    "RetentionRun",
    "Score",
    "Severity",
    "Source",
    "SuppressedDigest",
    "Suppression",
    "TableSize",
]
