"""What agents do to the index of knowledge after they have changed entries in a unit of work."""

from typing import TYPE_CHECKING

from socrates.errors import KnowledgeIndexError

if TYPE_CHECKING:
    from socrates.knowledge.knowledge_base import KnowledgeBase


async def catch_up(known: "KnowledgeBase") -> str:
    """Have the index hold what was committed; a warning where it cannot now, else "".

    That is no failure: the database has all of it, and the next addition, or the next start, brings the index along.
    """
    try:
        await known.catch_up()
    except KnowledgeIndexError as error:
        return f"it is stored, and the index of knowledge follows later: {error}"
    return ""
