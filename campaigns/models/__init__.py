"""Tables of messages: who, what, and what became of it."""

from campaigns.models.ads import (
    AdCampaign,
    AdChoice,
    AdCreative,
    AdDay,
    AdExport,
    AdHit,
    AdHour,
    AdPlacement,
    AdPurse,
    AdRound,
)
from campaigns.models.answers import Hit, ReturnBox, Returned
from campaigns.models.campaigns import Campaign, Run
from campaigns.models.channels import Channel, Domain, InboxItem, PushSubscription
from campaigns.models.content import SavedBlock, SavedBlockVersion, Template, TemplateVersion
from campaigns.models.experiments import (
    Choice,
    GlobalHoldout,
    Reading,
    Round,
    Spend,
    Trial,
    Variant,
)
from campaigns.models.journeys import (
    Enrollment,
    Journey,
    JourneyCursor,
    JourneyHeard,
    JourneyReading,
    JourneyStep,
    JourneyTally,
    JourneyVersion,
)
from campaigns.models.lists import PersonList, PersonListMember
from campaigns.models.manners import SendingRules, Turn
from campaigns.models.membership import SegmentLevel, SegmentMember, SegmentMove, SegmentUpkeep
from campaigns.models.messages import MailPieces, Message, MessageBody, Untold
from campaigns.models.pace import Pace
from campaigns.models.reviews import Approval, LinkCheck
from campaigns.models.seeds import SeedCopy, SeedMailbox, SeedTest
from campaigns.models.segments import Segment, SegmentSize
from campaigns.models.waivers import Waiver

__all__ = [
    "AdCampaign",
    "AdChoice",
    "AdCreative",
    "AdDay",
    "AdExport",
    "AdHit",
    "AdHour",
    "AdPlacement",
    "AdPurse",
    "AdRound",
    "Approval",
    "Campaign",
    "Channel",
    "Choice",
    "Domain",
    "Enrollment",
    "GlobalHoldout",
    "Hit",
    "InboxItem",
    "Journey",
    "JourneyCursor",
    "JourneyHeard",
    "JourneyReading",
    "JourneyStep",
    "JourneyTally",
    "JourneyVersion",
    "LinkCheck",
    "MailPieces",
    "Message",
    "MessageBody",
    "Pace",
    "PersonList",
    "PersonListMember",
    "PushSubscription",
    "Reading",
    "ReturnBox",
    "Returned",
    "Round",
    "Run",
    "SavedBlock",
    "SavedBlockVersion",
    "SeedCopy",
    "SeedMailbox",
    "SeedTest",
    "Segment",
    "SegmentLevel",
    "SegmentMember",
    "SegmentMove",
    "SegmentSize",
    "SegmentUpkeep",
    "SendingRules",
    "Spend",
    "Template",
    "TemplateVersion",
    "Trial",
    "Turn",
    "Untold",
    "Variant",
    "Waiver",
]
