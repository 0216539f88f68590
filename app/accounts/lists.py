"""Lists of one's own things, newest first: a cursor is the number of the last one that was told."""

from app.core.errors import Invalid


def below(cursor: str | None) -> int:
    """What the numbers of the next ones are below. Raises Invalid."""
    if cursor is None:
        return 2**62
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > 18:
        raise Invalid("That cursor is none of ours; take the `next` of an earlier answer, or leave it out.")
    return int(cursor)
