"""Sending a request once more, when the target says 401 and a plugin has something new to show it.

Belongs here: when that is, and what is begun afresh. Does not: renewing (plugins).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from twisted.python.failure import Failure

from rrgate.chain import Chain, Step
from rrgate.exchange import Exchange
from rrgate.messages import Reply
from rrgate.outgoing import begin_target_request, change_body
from rrgate.patience import RAISED, CallerLeft
from rrgate.pipeline_parts import Upstream
from rrgate.steps import PluginFault, WrongAnswer, came, let_go, way_in

UNAUTHORIZED: Final = 401


async def repeat(ex: Exchange, chain: Chain, upstream: Upstream) -> Reply | None:
    """After a 401 of the target: let `renew` run, and send the request again if it can be and is worth it.

    `ex.response` is then the second answer. A Reply if a plugin made one in place of the second request. Raises
    PluginFault, TargetError, InjectionError.
    """
    if not await _renewed(ex, chain.renew) or not ex.repeatable:
        return None
    route = ex.route
    assert route is not None
    let_go(ex)
    ex.target_status = 0
    request = ex.target_request = begin_target_request(ex, route)
    reply = await way_in(ex, chain.prepare)
    if reply is not None:
        return reply
    if chain.on_request_body:
        await change_body(ex, request, chain.on_request_body)
    await upstream.send(ex)
    assert ex.response is not None
    ex.target_status = ex.response.status
    return None


async def _renewed(ex: Exchange, steps: Sequence[Step]) -> bool:
    """Whether any of them has something else to show."""
    renewed = False
    for step in steps:
        try:
            answer = step.call(ex)
            if step.is_async or hasattr(answer, "__await__"):
                answer = await step.patience.answer_of(ex, answer)
                came(ex, step)
            if type(answer) is not bool:
                raise WrongAnswer(f"{step.plugin}.renew answered a {type(answer).__name__}")
        except CallerLeft:
            raise
        except RAISED:  # fails closed, with its name
            raise PluginFault(step, Failure()) from None
        renewed |= answer
    return renewed
