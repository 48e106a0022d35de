"""Tell a worker that the inbox holds something."""

from marketing.core.nudger import Nudger

TASK = "ingestion.events.tasks.drain_inbox"
QUEUE = "events"
_nudger = Nudger(TASK, queue=QUEUE)
nudge, heard = _nudger.nudge, _nudger.heard
