"""How long a mailed link is good, and how many letters one may cause."""

from datetime import timedelta

from app.accounts.rules import LinkPurpose

LIFE = {
    LinkPurpose.INVITE: timedelta(hours=72),
    LinkPurpose.RESET: timedelta(minutes=30),
    LinkPurpose.EMAIL: timedelta(hours=24),
}
PAGE = {LinkPurpose.INVITE: "invite", LinkPurpose.RESET: "reset", LinkPurpose.EMAIL: "confirm-email"}

# One letter to an address in 20 minutes, whoever asks: whoever is refused a second one has a link that is good for 30.
ADDRESS_PAUSE = 1200  # seconds
FROM_ONE_PLACE = 30  # requests an hour
INVITATIONS = 5  # an hour, to one person
NEW_ADDRESSES = 5  # an hour, by one person
HOUR = 3600  # seconds
