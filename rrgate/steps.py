"""Calling plugins: one phase after the other, what their answers mean, and what happens when one fails.

Belongs here: the calling convention of the request phases. Does not: their order (pipeline.py), body methods
(relay.py, outgoing.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from types import CoroutineType
from typing import Any, Final, TypeAlias, cast

import orjson
from twisted.logger import Logger
from twisted.python.failure import Failure

from rrgate import answers
from rrgate.body import BodyBroken, BodyTooLarge
from rrgate.chain import Step
from rrgate.exchange import Exchange
from rrgate.messages import Denied, Identity, Reply
from rrgate.names import NOT_INJECTABLE, breaks_a_line, fold, is_token
from rrgate.patience import RAISED, CallerLeft

_log = Logger()

Soon: TypeAlias = "CoroutineType[Any, Any, Reply | None]"
"""What is to be awaited for what a phase comes to."""

_ANSWERS: Final = frozenset({Identity, Denied, Reply})
"""What is no awaitable: not even looked at for `__await__`, which costs 0.1 µs where it is not there."""


class PluginFault(Exception):
    """A plugin raised, answered something it may not, or waited for too long.

    Its text names the plugin and phase, and no values.
    """

    def __init__(self, step: Step, failure: Failure) -> None:
        super().__init__(f"plugin {step.plugin!r} failed in {step.phase}")
        self.plugin = step.plugin
        self.phase = step.phase
        self.failure = failure


class WrongAnswer(TypeError):
    """A plugin's method answered with what its contract does not know."""

    holds_no_values = True


async def way_in(ex: Exchange, steps: Sequence[Step]) -> Reply | None:
    """Run `authenticate`, `authorize` or `prepare`. A Reply ends the request; None goes on.

    Whoever is called counts as entered, however that ends. Raises PluginFault, and BodyTooLarge or BodyBroken if a
    plugin waited for the caller's body. What a plugin awaits is cancelled with the request.
    """
    reply = on_the_way_in(ex, steps)
    return await reply if isinstance(reply, CoroutineType) else reply


def on_the_way_in(ex: Exchange, steps: Sequence[Step]) -> Reply | Soon | None:
    """As `way_in`, but a coroutine only from the first plugin on that answers something to be awaited; few do.

    For the path of every request: a coroutine a phase costs 0.3 µs.
    """
    request = ex.target_request
    for place, step in enumerate(steps):
        ex.entered |= step.mark
        if request is not None:
            request.writer = step.plugin
        try:
            answer = step.call(ex)
            if answer is None:
                continue
            if step.is_async or (type(answer) not in _ANSWERS and hasattr(answer, "__await__")):
                return cast(Soon, _way_in_later(ex, steps, place, answer))
        except (CallerLeft, BodyTooLarge, BodyBroken):
            raise
        except RAISED:  # fails closed, with its name
            raise PluginFault(step, Failure()) from None
        return _decided(ex, step, answer)
    return None


async def _way_in_later(ex: Exchange, steps: Sequence[Step], place: int, answer: Any) -> Reply | None:
    """The rest of it, from the step on that answered with an awaitable."""
    step = steps[place]
    try:
        answer = await step.patience.answer_of(ex, answer)
    except (CallerLeft, BodyTooLarge, BodyBroken):
        raise
    except RAISED:  # fails closed, with its name
        raise PluginFault(step, Failure()) from None
    came(ex, step)
    if answer is not None:
        return _decided(ex, step, answer)
    return await way_in(ex, steps[place + 1 :])


def came(ex: Exchange, step: Step) -> None:
    """What a plugin answered later than at once has come, which the record tells. What takes no time is not timed."""
    clock = step.patience.clock
    if clock is not None:
        ex.timeline.append((f"{step.plugin} {step.phase}", clock.seconds()))


def _decided(ex: Exchange, step: Step, answer: object) -> Reply | None:
    """What the `answer` of a step that gave one means for its phase, which it ends. Raises PluginFault."""
    if type(answer) is Identity and step.phase == "authenticate":
        ex.identity = answer
        return None
    if type(answer) is Denied and step.phase != "prepare":
        return _denied(ex, step, answer)
    if type(answer) is Reply:
        return _checked(step, answer)
    raise _wrong(step, answer)


def body_limit(ex: Exchange, steps: Sequence[Step], limit: int | None) -> int | None:
    """The smallest of `limit` and what `body_needed` answers; None: nobody needs the body. Raises PluginFault."""
    for step in steps:
        ex.entered |= step.mark
        try:
            needed = step.call(ex)
        except RAISED:  # fails closed, with its name
            raise PluginFault(step, Failure()) from None
        if needed is None:
            continue
        if type(needed) is not int or needed < 0:
            raise _wrong(step, needed)
        if limit is None or needed < limit:
            limit = needed
    return limit


async def answer_steps(ex: Exchange, steps: Sequence[Step], reply: Reply | None) -> Reply | None:
    """Run `on_response` of the plugins that were entered, on the target's answer or on `reply` of ours.

    A Reply takes the answer's place for the plugins that are left, and the target's answer is let go. Each plugin is
    called once: none counts as entered any more when its call begins. Raises PluginFault; those that are left still
    count as entered then.
    """
    answered = on_the_way_out(ex, steps, reply)
    return await answered if isinstance(answered, CoroutineType) else answered


def on_the_way_out(
    ex: Exchange, steps: Sequence[Step], reply: Reply | None
) -> Reply | Soon | None:
    """As `answer_steps`, but a coroutine only from the first plugin on that waits, as `on_the_way_in`."""
    for place, step in enumerate(steps):
        if not ex.entered & step.mark:
            continue
        ex.entered &= ~step.mark
        try:
            answer = step.call(ex)
            if answer is None:
                continue
            if step.is_async or (type(answer) is not Reply and hasattr(answer, "__await__")):
                return cast(Soon, _way_out_later(ex, steps, place, answer, reply))
        except CallerLeft:
            raise
        except RAISED:  # fails closed, with its name
            raise PluginFault(step, Failure()) from None
        reply = _instead(ex, step, answer)
    ex.entered = 0
    return reply


async def _way_out_later(
    ex: Exchange, steps: Sequence[Step], place: int, answer: Any, reply: Reply | None
) -> Reply | None:
    """The rest of it, from the step on that answered with an awaitable."""
    step = steps[place]
    try:
        answer = await step.patience.answer_of(ex, answer)
    except CallerLeft:
        raise
    except RAISED:  # fails closed, with its name
        raise PluginFault(step, Failure()) from None
    came(ex, step)
    if answer is not None:
        reply = _instead(ex, step, answer)
    return await answer_steps(ex, steps[place + 1 :], reply)


def _instead(ex: Exchange, step: Step, answer: object) -> Reply:
    """The `answer` of a step that gave one, in place of what would have been answered. Raises PluginFault."""
    if type(answer) is not Reply:
        raise _wrong(step, answer)
    reply = _checked(step, answer)
    let_go(ex)
    return reply


def let_go(ex: Exchange) -> None:
    """The target's answer, if there is one, is not answered: nobody will read its rest."""
    if ex.response is not None:
        ex.response.body.abandon()
        ex.response = None


async def body_steps(ex: Exchange, steps: Sequence[Step], chunk: bytes, last: bool) -> bytes:
    """`chunk` through each body method in turn. Raises PluginFault."""
    for step in steps:
        if not chunk and not last:
            return chunk
        try:
            answer = step.call(ex, chunk, last)
            if type(answer) is not bytes and (step.is_async or hasattr(answer, "__await__")):
                answer = await step.patience.answer_of(ex, answer)
        except CallerLeft:
            raise
        except RAISED:  # fails closed, with its name
            raise PluginFault(step, Failure()) from None
        if not isinstance(answer, bytes):
            raise _wrong(step, answer)
        chunk = answer
    return chunk


def _denied(ex: Exchange, step: Step, denied: Denied) -> Reply:
    ex.denied_reason = denied.reason
    _log.debug("{ex!r} was denied by {plugin!r}: {reason}", ex=ex, plugin=step.plugin, reason=denied.reason)
    if denied.status == 401:
        # All that can be wrong with a credential looks the same, whatever a plugin would say of it.
        return answers.denied_401()
    if not 400 <= denied.status < 500:
        raise PluginFault(step, Failure(WrongAnswer(f"{step.plugin}.{step.phase} denied with {denied.status}")))
    message = denied.message or answers.reason_phrase(denied.status)
    code = "rate-limited" if denied.status == 429 else answers.DENIED
    return _checked(step, Reply(denied.status, message, code, headers=denied.headers))


def _checked(step: Step, reply: Reply) -> Reply:
    try:
        wrong = wrong_with(reply)
        if reply.document is not None:
            orjson.dumps(reply.document)
    except Exception as error:  # noqa: BLE001 - whatever it is, the plugin has put it there
        wrong = f"something that cannot be read ({type(error).__name__})"
    if wrong:
        raise PluginFault(step, Failure(WrongAnswer(f"{step.plugin}.{step.phase} answered a Reply with {wrong}")))
    return reply


def wrong_with(reply: Reply) -> str:
    """Why `reply` cannot be answered without splitting or mis-framing the answer, or nothing.

    Raises whatever comes of parts of other types.
    """
    if not 200 <= reply.status < 600:
        return f"the status {reply.status}"
    if not is_token(reply.code.encode()):
        return "a code that is no token"
    for name, value in reply.headers:
        if not is_token(name) or fold(name) in NOT_INJECTABLE or breaks_a_line(value):
            return "a header field that may not be answered"
    return ""


def _wrong(step: Step, answer: object) -> PluginFault:
    # The type alone: the value may hold a secret.
    return PluginFault(step, Failure(WrongAnswer(f"{step.plugin}.{step.phase} answered a {type(answer).__name__}")))
