"""Tell a worker that the inbox holds something."""

from marketing.core.nudger import Nudger

TASK = "ingestion.events.tasks.drain_inbox"
QUEUE = "events"
nudge = Nudger(TASK, queue=QUEUE).nudge
