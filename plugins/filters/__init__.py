"""Filters of credentials, targets and proxies: what of targets' JSON answers is kept back (docs/filters.md).

Belongs here: the plugin, which says what is filtered and answers where it cannot be. Its rooms: queries.py and
comparing.py (JSONPath), pruning.py (retain and destroy), documents.py (bytes), threads.py (large answers).

An answer that should be filtered and cannot be is not passed on, whatever the reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Final

from attrs import field, frozen

from rrgate.api import (
    Body,
    BodyBroken,
    BodyTooLarge,
    ConfigError,
    Exchange,
    Explained,
    Filter,
    FilterScope,
    Kind,
    Parts,
    Plugin,
    PluginContext,
    Problem,
    Reply,
    TargetResponse,
)
from rrgate_plugins.filters.documents import AT_MOST, AT_ONCE, NotFilterable, TooMuch, filtered
from rrgate_plugins.filters.pruning import Stage
from rrgate_plugins.filters.queries import Query
from rrgate_plugins.filters.threads import Overloaded, Workers
from rrgate_plugins.gzip_bodies import CODINGS
from rrgate_plugins.json_bodies import codings, in_utf_8, is_json_type, media_type
from rrgate_plugins.rules import RuleChecks
from rrgate_plugins.rules.matching import CompiledRule, compile_rule
from rrgate_plugins.rules.message import Message

__all__ = ["AnswerFilters", "FiltersConfig"]

_IN_PARTS: Final = frozenset((101, 206, 226))
"""2xx whose body is not the document that a JSONPath was written for (RFC 9110 15.3.7, RFC 3229), and a protocol that
is no longer HTTP."""

_OF_THE_WHOLE: Final = (
    b"Content-Encoding",
    b"Content-Length",
    b"Content-Range",
    b"Accept-Ranges",
    b"ETag",
    b"Content-MD5",
    b"Digest",
    b"Content-Digest",
    b"Repr-Digest",
)
"""What is said of an answer that is not answered as it is (RFC 9110 8.8.3, RFC 9530, RFC 3230)."""


@frozen
class FiltersConfig:
    """The scopes of a proxy that have filters, in the order in which they are applied."""

    scopes: tuple[FilterScope, ...] = field(default=(), repr=lambda scopes: f"<{len(scopes)} scopes>")


@frozen(eq=False)
class _Compiled:
    """A filter. `note`: what is told of it where a request is explained. `rule`: which requests it is for; None for
    all."""

    note: Mapping[str, object]
    rule: CompiledRule | None
    retains: bool
    queries: tuple[Query, ...]

    def applies(self, message: Message | None, method: bytes) -> bool:
        rule = self.rule
        if rule is None:
            return True
        assert message is not None
        return (rule.methods is None or method in rule.methods) and rule.matches(message)

    def wants_body(self, message: Message, method: bytes) -> bool:
        rule = self.rule
        return rule is not None and (rule.methods is None or method in rule.methods) and rule.wants_body(message)


class AnswerFilters(Plugin):
    """Leaves of answers what the filters of all four scopes leave."""

    name = "answer-filters"
    kind = Kind.FILTER
    Config = FiltersConfig
    filters = RuleChecks.judges
    pure = True

    def __init__(self, config: FiltersConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._scopes = tuple(tuple(map(partial(_compiled, scope), scope.filters)) for scope in config.scopes)
        self._for_all = all(each.rule is None for scope in self._scopes for each in scope)
        self._stages_for_all = self._stages(None, b"") if self._for_all else ()
        self._looks_at_bodies = any(filter_.body for scope in config.scopes for filter_ in scope.filters)
        self._workers = context.shared.of(Workers, lambda: Workers(context.clock))

    @classmethod
    def for_proxy(cls, parts: Parts) -> FiltersConfig | None:
        """None where there is nothing to filter, so that a proxy without filters pays nothing for them."""
        if not parts.filters:
            return None
        problems = [
            Problem(f"filters.{each.id}", f"checks {kind}, which nothing installed carries out any more")
            for scope in parts.filters
            for each in scope.filters
            for kind in sorted(each.as_rule.checks - cls.filters)
        ]
        if problems:
            raise ConfigError(*problems)
        return FiltersConfig(parts.filters)

    @classmethod
    def check_filter(cls, filter: Filter) -> None:
        """Raises ConfigError naming each JSONPath and pattern that cannot be carried out, and why."""
        problems = []
        for place, path in enumerate(filter.json_paths):
            try:
                Query(path)
            except ValueError as error:
                problems.append(Problem(f"jsonPaths.{place}", str(error)))
        try:
            RuleChecks.check_rule(filter.as_rule)
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(*problems)

    def authorize(self, ex: Exchange) -> Awaitable[None] | None:
        """Find out which filters are for this request; its body is waited for only where that depends on it."""
        if self._for_all:
            ex.state[self.name] = self._stages_for_all
            return None
        message = Message(ex)
        if self._looks_at_bodies and any(
            each.wants_body(message, ex.method) for scope in self._scopes for each in scope
        ):
            return self._with_body(ex, message)
        ex.state[self.name] = self._stages(message, ex.method)
        return None

    async def _with_body(self, ex: Exchange, message: Message) -> None:
        await message.read_body()
        ex.state[self.name] = self._stages(message, ex.method)

    async def explain(self, ex: Exchange, phase: str) -> Explained:
        """Which filters are for the request: what they leave only an answer can tell."""
        if phase == "prepare":
            self._ask(ex)
            return Explained()
        message = Message(ex)
        if self._looks_at_bodies:
            await message.read_body()
        ex.state[self.name] = self._stages(message, ex.method)
        told = (each for scope in self._scopes for each in scope)
        return Explained(notes=tuple({**each.note, "applies": each.applies(message, ex.method)} for each in told))

    def prepare(self, ex: Exchange) -> Awaitable[None] | None:
        """Ask for the whole document, and in no coding that is not known here."""
        if self.name not in ex.state:  # an attempt at an asynchronous request, which was judged when it was taken
            finding = self.authorize(ex)
            if finding is not None:
                return self._ask_later(ex, finding)
        self._ask(ex)
        return None

    async def _ask_later(self, ex: Exchange, finding: Awaitable[None]) -> None:
        await finding
        self._ask(ex)

    def _ask(self, ex: Exchange) -> None:
        if ex.state[self.name]:
            ex.to_target.ask_whole(b"gzip")

    def on_response(self, ex: Exchange) -> Reply | Awaitable[Reply | None] | None:
        """Filter a 2xx answer that has a body, or answer why it cannot be."""
        response = ex.response
        if response is None:
            return None
        stages: Sequence[Stage] = ex.state[self.name]
        if not stages:
            return None
        status = response.status
        if status in _IN_PARTS:
            return _not_filterable("it is not a whole document")
        if not 200 <= status < 300:
            return None
        if ex.method == b"HEAD":
            _forget_the_whole(response)
            response.length = None
            return None
        if status == 204 or response.length == 0:
            return None
        reason, coding = _form_of(response)
        if reason:
            return _not_filterable(reason)
        return self._filter(response, stages, coding)

    async def _filter(self, response: TargetResponse, stages: Sequence[Stage], coding: bytes) -> Reply | None:
        held = 0
        bound = response.bound
        most = AT_MOST.size if bound is None else min(AT_MOST.size, max(0, bound.limit - response.size_of_head))
        parts: list[bytes] = []
        workers = self._workers
        try:
            response.body.bound(most)
            while data := await response.body.read():
                workers.hold(len(data))
                held += len(data)
                parts.append(data)
            body = b"".join(parts)
            parts.clear()
            if body:
                body = await self._filtered(body, coding, stages)
        except BodyTooLarge:
            if bound is not None and most < AT_MOST.size:
                return bound.reply(response.size_of_head + response.body.received, False)
            return _not_filterable(f"it is over {AT_MOST.size} bytes")
        except BodyBroken as error:
            return Reply(502, f"Bad gateway: {error}", "target-unreachable")
        except NotFilterable as error:
            return _not_filterable(str(error))
        except Overloaded:
            message = "Too many answers are being filtered: try again later"
            return Reply(503, message, "unavailable", headers=((b"Retry-After", b"5"),))
        finally:
            workers.let_go(held)
        _forget_the_whole(response)
        if response.header(b"Content-Type") is None:
            response.set_header(b"Content-Type", b"application/json")
        response.body = Body.of(body)
        response.length = len(body)
        return None

    async def _filtered(self, body: bytes, coding: bytes, stages: Sequence[Stage]) -> bytes:
        if len(body) <= AT_ONCE.size:
            try:
                return filtered(body, coding, stages, AT_ONCE)
            except TooMuch:
                pass  # in one of its bounds: with more of them, in a thread
        return await self._workers.run(lambda: filtered(body, coding, stages, AT_MOST), len(body))

    def _stages(self, message: Message | None, method: bytes) -> tuple[Stage, ...]:
        """Those in which a filter is for this request."""
        stages = []
        for scope in self._scopes:
            applying = [each for each in scope if each.applies(message, method)]
            if applying:
                retained = [query for each in applying if each.retains for query in each.queries]
                destroyed = [query for each in applying if not each.retains for query in each.queries]
                stages.append(Stage(retained, destroyed))
        return tuple(stages)


def _compiled(scope: FilterScope, filter_: Filter) -> _Compiled:
    rule = filter_.as_rule
    needed = compile_rule(rule, scope.scope, 0) if rule.checks else None
    note = {"filterId": filter_.id, "scope": scope.scope.value, "effect": filter_.effect}
    return _Compiled(note, needed, filter_.effect == "retain", tuple(map(Query, filter_.json_paths)))


def _form_of(response: TargetResponse) -> tuple[str, bytes]:
    """(why its head says that it cannot be filtered, or nothing; its coding)."""
    types = [value for name, _, value in response.fields if name == b"content-type"]
    encodings = codings(value for name, _, value in response.fields if name == b"content-encoding")
    if len(types) > 1:
        return "it has several types", b""
    if types and not is_json_type(media_type(types[0])):
        return "its type is not that of JSON", b""
    if types and not in_utf_8(types[0]):
        return "its charset is not UTF-8", b""
    if encodings and (len(encodings) > 1 or encodings[0] not in CODINGS):
        return "it is in a coding that it was not asked for in", b""
    return "", b"".join(encodings)


def _forget_the_whole(response: TargetResponse) -> None:
    for name in _OF_THE_WHOLE:
        response.remove_header(name)


def _not_filterable(reason: str) -> Reply:
    message = f"The target's answer has to be filtered, and cannot be: {reason}"
    return Reply(422, message, "response-not-filterable")
