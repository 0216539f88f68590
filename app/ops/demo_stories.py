"""What happened on the demo's desk: one story for each ticket, told as turns of people."""

from dataclasses import dataclass
from datetime import timedelta

from app.core.priority import Priority
from app.tickets.rules import Status


@dataclass(frozen=True)
class Turn:
    """One thing somebody does, `after` the turn before (or the story's beginning)."""

    by: str
    act: str  # opens, says, accepts, answers, notes, moves
    words: str = ""
    after: timedelta = timedelta()
    to: str | None = None
    then: Status | None = None
    mail: bool = True
    html: str | None = None
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Story:
    """A ticket's life, beginning some time `ago`."""

    subject: str
    ago: timedelta
    turns: tuple[Turn, ...]
    priority: Priority = Priority.MEDIUM


def _h(hours: float) -> timedelta:
    return timedelta(hours=hours)


_RECEIPT = """<p>Hello,</p><p>the receipts from this week's till are <b>doubled</b>:</p>
<table border="1" cellpadding="4"><tr><th>Day</th><th>Till</th><th>Export</th></tr>
<tr><td>Monday</td><td>412</td><td>824</td></tr><tr><td>Tuesday</td><td>388</td><td>776</td></tr></table>
<p>Could you look at it before the accountant comes on Friday?</p><p>Ingrid</p>"""

STORIES = (
    Story(
        "Opening hours on the public holiday page are wrong",
        timedelta(days=26),
        (
            Turn("lars", "opens", "Your holiday page says we close at 14:00 on the 17th. It is 12:00.\n\nLars"),
            Turn("bruno", "accepts", after=_h(0.4), to="alina"),
            Turn(
                "alina",
                "answers",
                "Hello Lars,\n\nchanged, and checked on the page. Thank you for telling us.\n\nAlina",
                after=_h(1.2),
            ),
            Turn("alina", "moves", then=Status.RESOLVED, after=_h(0.1)),
            Turn("lars", "says", "Looks right now, thanks!", after=_h(3)),
            Turn("alina", "moves", then=Status.RESOLVED, after=_h(0.2)),
            Turn("alina", "moves", then=Status.CLOSED, after=timedelta(days=7)),
        ),
        Priority.LOW,
    ),
    Story(
        "WIN A FREE CRUISE",
        timedelta(days=9),
        (
            Turn("dina", "opens", "Somebody got into my mailbox and sent this to everybody in it. Please ignore it! Dina"),
            Turn("alina", "notes", "Called her: the mailbox is hers again. Nothing for us to do.", after=_h(2), mail=False),
            Turn("alina", "moves", then=Status.CANCELLED, after=_h(0.1)),
        ),
        Priority.LOW,
    ),
    Story(
        "Second label printer for the night shift",
        timedelta(days=5),
        (
            Turn(
                "omar",
                "opens",
                "Hi,\n\nwe are hiring for the night shift and need a second label printer next to press 3. "
                "The same model would be good.\n\nOmar",
            ),
            Turn("tomas", "accepts", after=_h(1)),
            Turn(
                "tomas",
                "answers",
                "Hello Omar,\n\nordered; it comes on Thursday. I will set it up the same evening.\n\nTomás",
                after=_h(2),
                then=Status.IN_PROGRESS,
            ),
            Turn(
                "tomas",
                "answers",
                "It prints. Two rolls of labels lie beside it.\n\nTomás",
                after=timedelta(days=3),
                then=Status.RESOLVED,
            ),
        ),
    ),
    Story(
        "Receipts are doubled in the weekly export",
        timedelta(days=2, hours=3),
        (
            Turn(
                "ingrid",
                "opens",
                "Hello,\n\nthe receipts from this week's till are doubled:\n\nMonday  412 at the till, 824 in the export\n"
                "Tuesday 388 at the till, 776 in the export\n\nCould you look at it before the accountant comes on Friday?\n\n"
                "Ingrid",
                html=_RECEIPT,
                files=(("export-week-47.csv", "day,till,export\nMonday,412,824\nTuesday,388,776\n"),),
            ),
            Turn("bruno", "accepts", after=_h(0.5), to="alina"),
            Turn(
                "alina",
                "notes",
                "The export job ran twice on Sunday: once by the old timer, which nobody had switched off, once by the new one. "
                "Fix is to drop the old timer and run the week again. @Tomás can you confirm it is gone from the server?",
                after=_h(1.5),
                mail=False,
            ),
            Turn(
                "alina",
                "answers",
                "Hello Ingrid,\n\nI have found why: the export ran twice. I am making this week's again and will send it "
                "tomorrow morning, in good time for Friday.\n\nAlina",
                after=_h(0.3),
                then=Status.IN_PROGRESS,
            ),
            Turn("tomas", "notes", "Confirmed, the old timer is gone.", after=_h(4), mail=False),
            Turn(
                "ingrid", "says", "Thank you! Do I have to delete the wrong file, or does the new one replace it?", after=_h(18)
            ),
        ),
        Priority.HIGH,
    ),
    Story(
        "Can't sign in since this morning",
        timedelta(days=1, hours=2),
        (
            Turn("lars", "opens", "It says my password is wrong. I have not changed it. Lars"),
            Turn("alina", "accepts", after=_h(0.2)),
            Turn(
                "alina",
                "answers",
                "Hello Lars,\n\ncould you tell me what exactly the page says, and whether it also happens in another browser?\n\n"
                "Alina",
                after=_h(0.2),
                then=Status.WAITING_CUSTOMER,
            ),
        ),
    ),
    Story(
        "Invoice 2291: please split it by cost centre",
        _h(20),
        (
            Turn(
                "dina",
                "opens",
                "Hello,\n\nour accounts department needs invoice 2291 split by cost centre (4100 and 4200).\n\nDina",
            ),
            Turn("bruno", "accepts", after=_h(1), to="tomas"),
            Turn("tomas", "moves", then=Status.IN_PROGRESS, after=_h(0.5)),
        ),
    ),
    Story(
        "Press 3 stops with error E-17",
        _h(3.5),
        (
            Turn(
                "omar",
                "opens",
                "Press 3 stands still with E-17 after every 200 sheets, and we have a job for tomorrow morning. Please call me, "
                "+20 555 0117.\n\nOmar",
            ),
            Turn("bruno", "accepts", after=_h(0.2), to="tomas"),
            Turn(
                "bruno",
                "notes",
                "They have the premium contract. Tomás, please call before you write.",
                after=_h(0.1),
                mail=False,
            ),
        ),
        Priority.URGENT,
    ),
    Story(
        "Question about the new delivery address",
        _h(2),
        (
            Turn("ingrid", "opens", "Hi, from December on our flour comes to the new bakery. Where do I enter that?", mail=False),
            Turn("bruno", "accepts", after=_h(0.3), to="alina"),
        ),
    ),
    Story(
        "Request: price list in French",
        _h(0.7),
        (Turn("dina", "opens", "Hello, is there a French version of the price list? We have a customer in Lyon. Thanks, Dina"),),
        Priority.LOW,
    ),
    Story(
        "The shop page is very slow",
        _h(0.2),
        (
            Turn(
                "lars",
                "opens",
                "Since about ten minutes it takes half a minute until the shop page shows anything. Our customers are calling.\n"
                "\nhttps://shop.fjordbakery.example/breads?sort=new\n\nLars",
            ),
        ),
        Priority.HIGH,
    ),
)
