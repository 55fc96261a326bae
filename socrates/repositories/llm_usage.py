"""What calls of language models cost. A call whose time v1 lost counts as older than any other."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Executable,
    Select,
    bindparam,
    cast,
    func,
    insert,
    or_,
    select,
    tuple_,
)

from socrates.frozen import FrozenDict, freeze
from socrates.models import LLMUsage
from socrates.models.functions import decimal_sum
from socrates.models.types import ExactDecimal
from socrates.repositories.base import Mapper, Repository, now, positive, table, utc
from socrates.repositories.pages import last_first, merged
from socrates.views import Usage, UsageOfDay, UsageRow, UsageTotals

_After = Literal["dated", "undated"]

_usage = Mapper(Usage, LLMUsage)
_INSERT = insert(table(LLMUsage))

_AT = LLMUsage.timestamp
_OF_USER = LLMUsage.user_id == bindparam("user_id")
_FROM_PROVIDER = LLMUsage.provider == bindparam("provider")
_SINCE = bindparam("since", type_=_AT.type) <= _AT
_UNTIL = bindparam("until", type_=_AT.type) > _AT
_UNDATED = _AT.is_(None)
_NEWEST_FIRST = last_first("timestamp", "id")
_OLDER = tuple_(_AT, LLMUsage.id) < tuple_(
    bindparam("last_at", type_=_AT.type), bindparam("last_id", type_=LLMUsage.id.type)
)


def _total(column: Any) -> ColumnElement[int]:
    # PostgreSQL adds integers up to a NUMERIC.
    return cast(func.coalesce(func.sum(column), 0), BigInteger)


# The engines' sums of decimals are not the same: SQLite's would go through floats.
_COST = decimal_sum(LLMUsage.cost, type_=ExactDecimal)
_CALLS = (func.count(), func.count().filter(LLMUsage.success.is_(False)))
_TOKENS = (_total(LLMUsage.input_tokens), _total(LLMUsage.output_tokens))
_CACHED_TOKENS = (_total(LLMUsage.cache_read_tokens), _total(LLMUsage.cache_write_tokens))
_LATENCY = func.avg(LLMUsage.latency_ms)

# As stored the times are UTC on SQLite; PostgreSQL takes the day in the session's time zone, which has to be UTC.
_DAY = func.date(_AT, type_=Date)

_BY_DAY = (
    select(_DAY, func.count(), _total(LLMUsage.total_tokens), _COST)
    .where(_OF_USER, _SINCE, _UNTIL)
    .group_by(_DAY)
    .order_by(_DAY)
)

_SPENT = select(_COST).where(_OF_USER, _SINCE)

_RECENT_TOKENS = (
    select(func.coalesce(LLMUsage.total_tokens, 0))
    .where(_OF_USER)
    .order_by(_AT.desc().nulls_last(), LLMUsage.id.desc())
    .limit(bindparam("count"))
)


@lru_cache(maxsize=32)
def _page(provider: bool, since: bool, until: bool, after: _After | None) -> Executable:
    """A user's calls, newest first, by the options of the list. Ties in time are ordered by id."""
    calls = select(*_usage.columns).where(_OF_USER)
    if provider:
        calls = calls.where(_FROM_PROVIDER)
    if since:
        calls = calls.where(_SINCE)
    dated, undated = calls, calls.where(_UNDATED)
    if until:
        dated = dated.where(_UNTIL)
    if after == "dated":
        dated = dated.where(_OLDER)
    if after == "undated":
        dated = undated.where(LLMUsage.id < bindparam("last_id"))
    elif (until or after == "dated") and not since:
        return merged(dated, undated, _NEWEST_FIRST)
    return dated.order_by(*_NEWEST_FIRST).limit(bindparam("count"))


@lru_cache(maxsize=8)
def _totals(provider: bool, since: bool, until: bool) -> Select[Any]:
    """The sums of a user's calls, by the options of the span."""
    per = (LLMUsage.provider, LLMUsage.model)
    figures = (*_CALLS, *_TOKENS, _total(LLMUsage.total_tokens), *_CACHED_TOKENS, _COST, _LATENCY)
    sums = _sums(per, figures, since, until).where(_OF_USER).order_by(*per)
    return sums.where(_FROM_PROVIDER) if provider else sums


@lru_cache(maxsize=8)
def _table(of_user: bool, since: bool, until: bool) -> Select[Any]:
    """The sums of calls by day, provider, model and operation, by the options of the table."""
    per = (_DAY, LLMUsage.provider, LLMUsage.model, LLMUsage.operation)
    figures = (*_CALLS, *_TOKENS, *_CACHED_TOKENS, _COST, _LATENCY)
    order = (_DAY.desc().nulls_last(), *per[1:-1], LLMUsage.operation.asc().nulls_first())
    sums = _sums(per, figures, since, until).order_by(*order)
    return sums.where(_OF_USER) if of_user else sums


def _sums(per: Sequence[Any], figures: Sequence[Any], since: bool, until: bool) -> Select[Any]:
    """Figures of the calls of a span of time. A call without a time is older than any other."""
    sums = select(*per, *figures).group_by(*per)
    if since:
        sums = sums.where(_SINCE)
    if until:
        sums = sums.where(_UNTIL if since else or_(_UNTIL, _UNDATED))
    return sums


class UsageReads(Repository):
    """Reads of usage. Spans reach from `since` to before `until`; an unknown user has made no calls."""

    async def usage(
        self,
        user_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        provider: str | None = None,
        limit: int = 50,
        after: Usage | None = None,
    ) -> tuple[Usage, ...]:
        """A user's calls, newest first; those without a time come last, and only when `since` is not given.

        For the next page give the last call of this one as `after`, with the same span and provider.
        """
        until = utc(until)
        if until is not None and after is not None and after.timestamp is not None:
            # One of the two says it all. Given both, SQLite would read from the span's end to the page.
            if after.timestamp < until:
                until = None
            else:
                after = None
        parameters = _span(user_id, since, until, provider)
        place: _After | None = None
        if after is not None:
            parameters["last_id"] = after.id
            place = "undated"
            if after.timestamp is not None:
                parameters["last_at"] = after.timestamp
                place = "dated"
        statement = _page(provider is not None, since is not None, until is not None, place)
        return await self._views(_usage, statement, count=positive("limit", limit), **parameters)

    async def usage_totals(
        self,
        user_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        provider: str | None = None,
    ) -> tuple[UsageTotals, ...]:
        """A user's calls added up per provider and model, in that order; costs are exact.

        Calls without a time count when `since` is not given. Numbers that v1 lost count as 0, and not in the mean.
        """
        statement = _totals(provider is not None, since is not None, until is not None)
        rows = await self._rows(statement, **_span(user_id, since, until, provider))
        return tuple(UsageTotals(*tuple(row)) for row in rows)

    async def usage_by_day(self, user_id: str, since: datetime, until: datetime) -> tuple[UsageOfDay, ...]:
        """A user's calls added up per day in UTC, oldest first; days without a call are left out, costs are exact."""
        return tuple(UsageOfDay(*tuple(row)) for row in await self._rows(_BY_DAY, **_span(user_id, since, until)))

    async def usage_table(
        self, *, user_id: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[UsageRow, ...]:
        """Calls added up per day in UTC, provider, model and operation, newest day first; costs are exact.

        By default everybody's, for which the whole table is read. Calls without a time come last, and only when `since`
        is not given. Numbers that v1 lost count as 0, and not in the mean.
        """
        statement = _table(user_id is not None, since is not None, until is not None)
        return tuple(UsageRow(*tuple(row)) for row in await self._rows(statement, **_span(user_id, since, until)))

    async def spent(self, user_id: str, since: datetime) -> Decimal:
        """The exact sum of what a user's calls have cost from `since` on, in US dollars."""
        spent: Decimal = await self._value(_SPENT, **_span(user_id, since, None))
        return spent

    async def recent_tokens(self, user_id: str, last: int) -> tuple[int, ...]:
        """The total tokens of the user's last calls, newest first. A number that v1 lost is 0."""
        rows = await self._rows(_RECENT_TOKENS, user_id=user_id, count=positive("last", last))
        return tuple(tokens for (tokens,) in rows)


class UsageRepository(UsageReads):
    """Reads and writes of usage, inside a unit of work."""

    async def record_usage(
        self,
        user_id: str,
        provider: str,
        model: str,
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        total_tokens: int | None = None,
        latency_ms: float = 0.0,
        cost: Decimal = Decimal(0),
        success: bool = True,
        error_message: str | None = None,
        request_id: str | None = None,
        timestamp: datetime | None = None,
        usage_id: str | None = None,
        extra: Mapping[Any, Any] = FrozenDict(),
        operation: str | None = None,
        cache_read_tokens: int = 0,
        cache_write_tokens: int = 0,
    ) -> Usage:
        """Record one call; latency in milliseconds, cost in US dollars. Raises AlreadyExistsError, InvalidValueError.

        By default `total_tokens` is the sum of input and output, without what a cache of the provider held; `timestamp`
        is the current time and `usage_id` a UUID.
        """
        call = Usage(
            id=str(uuid4()) if usage_id is None else usage_id,
            user_id=user_id,
            provider=provider,
            model=model,
            timestamp=utc(timestamp) or now(),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            total_tokens=input_tokens + output_tokens if total_tokens is None else total_tokens,
            latency_ms=latency_ms,
            cost=cost,
            success=success,
            error_message=error_message,
            request_id=request_id,
            extra=freeze(dict(extra)),
            operation=operation,
            cache_read_tokens=cache_read_tokens,
            cache_write_tokens=cache_write_tokens,
        )
        await self.record_usages([call])
        return call

    async def record_usages(self, calls: Iterable[Usage]) -> None:
        """Record many calls in one batch, all or none. Raises AlreadyExistsError, InvalidValueError."""
        await self._write_many(
            _INSERT, [{column.key: getattr(call, column.key) for column in _usage.columns} for call in calls]
        )


def _span(
    user_id: str | None, since: datetime | None, until: datetime | None, provider: str | None = None
) -> dict[str, Any]:
    """The parameters that were given."""
    given = {"user_id": user_id, "since": utc(since), "until": utc(until), "provider": provider}
    return {name: value for name, value in given.items() if value is not None}
