"""The outbox's sender, to which this machine's other addresses are its own network: `python -m tests.db.outbox.near`."""

from ipaddress import ip_address

from app.entry import outbox_sender
from app.outbox import webhook
from tests.db.outbox.receiver import HERE

if __name__ == "__main__":
    webhook.is_near = lambda address: address == ip_address(HERE)  # type: ignore[attr-defined]
    outbox_sender.main()
