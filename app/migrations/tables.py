"""Every table of every slice, so that migrations can be held equal to the models."""

from app.accounts import models as accounts
from app.audit import models as audit
from app.automation import models as automation
from app.db.types import Table
from app.files import models as files
from app.hours import models as hours
from app.intake import models as intake
from app.knowledge import models as knowledge
from app.ops import models as ops
from app.outbox import models as outbox
from app.sla import models as sla
from app.tickets import models as tickets
from app.web import models as web

SLICES = (accounts, audit, automation, files, hours, intake, knowledge, ops, outbox, sla, tickets, web)
metadata = Table.metadata
