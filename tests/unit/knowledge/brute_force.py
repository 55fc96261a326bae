"""What a search should find, from all entries that there are, one after the other."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from socrates.views import SearchHit
from tests.support.knowledge import WordEmbedder


@dataclass(frozen=True)
class Known:
    """An entry as far as searches care."""

    id: str
    project_id: str | None
    content: str
    category: str = "rules"
    source: str | None = None


async def best(
    known: Iterable[Known],
    query: str,
    project_id: str | None = None,
    top_k: int = 5,
    category: str | None = None,
    source: str | None = None,
    cutoff: float = -1,
) -> list[tuple[Known, float]]:
    """The best that the project may see, with their scores, as a search should give them."""
    seen = [
        each
        for each in known
        if each.project_id in (None, project_id) and category in (None, each.category) and source in (None, each.source)
    ]
    if not seen:
        return []
    asked, *vectors = (await WordEmbedder().embed([query, *(each.content for each in seen)], "query")).tolist()
    scores = [round(math.fsum(a * b for a, b in zip(asked, vector, strict=True)), 6) for vector in vectors]
    ranked = sorted(zip(seen, scores, strict=True), key=lambda pair: (-pair[1], *_place(pair[0])))
    return [(each, score) for each, score in ranked[:top_k] if score >= cutoff]


def found(hits: Iterable[SearchHit]) -> list[tuple[Known, float]]:
    """Hits in the same form."""
    return [
        (Known(entry.id, entry.project_id, entry.content, entry.category, entry.source), hit.score)
        for hit in hits
        for entry in [hit.entry]
    ]


def _place(known: Known) -> tuple[str, bool, str]:
    return known.id, known.project_id is not None, known.project_id or ""
