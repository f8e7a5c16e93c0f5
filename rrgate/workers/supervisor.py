"""`Supervisor`: starts workers, replaces those that die, and puts new ones in the place of old ones.

Belongs here: these decisions. Does not: processes (launching.py), sockets and signals (service.py), changes
(ledger.py), who leads (leading.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from rrgate.workers.channel import Message
from rrgate.workers.crew import LONGEST_WAIT, Generation, Hand, Launch, Plan, Stage
from rrgate.workers.gathering import Gathering
from rrgate.workers.leading import Leading
from rrgate.workers.ledger import Ledger
from rrgate.workers.sharing import SLOTS

SOON: Final = 10.0
"""Seconds: who ends within so many after it was told to serve has failed, and the next but one is waited with."""
READY: Final = 120.0
"""Seconds until workers that are to take the place of others, or of one that has ended, must be ready."""
LINGERING: Final = {"retire": 60.0, "stop": 20.0}
"""Seconds beyond `drain_timeout` that a worker has to end."""

_log = Logger("rrgate.workers")


class Supervisor:
    """One parent's. All on the reactor's thread."""

    def __init__(
        self,
        clock: IReactorTime,
        launch: Launch,
        *,
        freed: Callable[[int], None] = lambda slot: None,
        failed: Callable[[str], None] = lambda why: None,
        settled: Callable[[Plan], None] = lambda plan: None,
    ) -> None:
        """`freed`: told each slot that nobody has any more. `failed`: the first workers did not start; all is over
        then. `settled`: those of this plan serve, and no others.
        """
        self._clock = clock
        self._launch = launch
        self._freed = freed
        self._failed = failed
        self._settled = settled
        self._hands: list[Hand] = []
        self._numbers = 0
        self._present: Generation | None = None
        self._next: Generation | None = None
        self._next_timer: Any = None
        self._stopped: Deferred[None] | None = None
        self._later: list[Any] = []
        self._leading = Leading(lambda: self._hands, lambda: self._stopped is None and self.ledger.is_idle)
        self.ledger = Ledger(clock, lambda: self._hands, self._leading.look)
        self._gathering = Gathering(clock)

    @property
    def hands(self) -> tuple[Hand, ...]:
        """Every worker there is."""
        return tuple(self._hands)

    def start(self, plan: Plan) -> None:
        """Start what `plan` says; a second time: in the place of those there are, which serve until all are ready."""
        if self._stopped is not None:
            return
        number = 1 if self._present is None else self._present.number + 1
        generation = Generation(number, plan)
        if self._present is None:
            self._present = generation
        else:
            self._next = generation
            self._next_timer = self._clock.callLater(READY, self.give_up, f"not all were ready within {READY:.0f} s")
        try:
            for _ in range(plan.workers):
                self._open_one(generation)
        except OSError as error:
            if self._next is None:
                raise
            self.give_up(f"no process can be started: {error.strerror}")

    def stop(self) -> Deferred[None]:
        """Have all end what they have begun; fires when they are gone."""
        if self._stopped is None:
            self._stopped = Deferred()
            for timer in (*self._later, self._next_timer):
                if timer is not None and timer.active():
                    timer.cancel()
            for hand in self.hands:
                self._end(hand, "stop")
            self._look_whether_over()
        return self._stopped

    # What workers say.

    def heard(self, hand: Hand, message: Message) -> None:
        """`hand` has said this."""
        if hand.stage is Stage.GONE:
            return
        match message["say"]:
            case "ready":
                self._ready(hand)
            case "serving":
                self._serving(hand)
            case "ending":
                self._ends_alone(hand)
            case "about" | "made" | "refreshed":
                self.ledger.heard(hand, message)
            case "wake":
                for other in self._hands:
                    if other is not hand and other.serves:
                        other.send("wake")
            case "authorization":
                self._leading.tell(message)
            case "gather":
                self._gathering.begin(hand, message["id"], [each for each in self._hands if each.serves])
            case "figures":
                self._gathering.told(hand, message["id"], message["text"])
            case "released":
                self._leading.no_more(hand)
                self._leading.look()

    def ended(self, hand: Hand, how: str) -> None:
        """`hand` is dead."""
        was, hand.stage = hand.stage, Stage.GONE
        self._hands.remove(hand)
        for timer in hand.timers:
            if timer.active():
                timer.cancel()
        if hand.slot >= 0:
            self._freed(hand.slot)
        self._gathering.gone(hand)
        self._leading.no_more(hand)
        self.ledger.gone(hand)
        generation = hand.generation
        if self._stopped is not None:
            self._look_whether_over()
        elif hand.is_asked_for or generation.is_over:
            _log.info("{worker} has ended ({how})", worker=hand.name, how=how)
        elif not generation.is_complete and was is not Stage.SPARE:
            _log.error("{worker} has ended before it served ({how})", worker=hand.name, how=how)
            if generation is self._next:
                self.give_up("a new one has ended before it served")
            else:
                generation.is_over = True
                self._failed(f"{hand.name} has ended before it served ({how})")
        else:
            self._replace(hand, was, how)
        self._leading.look()

    # Starting.

    def _open_one(self, generation: Generation) -> None:
        hand = self._spare_of(generation) or self._start_one(generation)
        taken = {each.slot for each in self._hands}
        hand.slot = min(SLOTS - 1, next(slot for slot in range(len(taken) + 1) if slot not in taken))
        hand.stage = Stage.OPENING
        hand.send("open", slot=hand.slot)
        if generation.is_complete:
            hand.timers.append(self._clock.callLater(READY, self._too_late, hand, Stage.OPENING))

    def _spare_of(self, generation: Generation) -> Hand | None:
        return next((each for each in self._hands if each.generation is generation and each.stage is Stage.SPARE), None)

    def _start_one(self, generation: Generation) -> Hand:
        self._numbers += 1
        hand = Hand(self._numbers, generation)
        hand.process = self._launch(hand)
        self._hands.append(hand)
        return hand

    def _have_a_spare(self, generation: Generation) -> None:
        if generation.is_over or self._stopped is not None or self._spare_of(generation) is not None:
            return
        try:
            self._start_one(generation)
        except OSError as error:
            _log.error("no process can be started: {why}", why=error.strerror)
            self._after(LONGEST_WAIT, self._have_a_spare, generation)

    def _ready(self, hand: Hand) -> None:
        hand.stage = Stage.READY
        generation = hand.generation
        if generation.is_complete:
            self._serve(hand)
            return
        ready = [each for each in self._hands if each.generation is generation and each.stage is Stage.READY]
        if len(ready) == generation.plan.workers:
            generation.is_complete = True
            for each in ready:
                self._serve(each)

    def _serve(self, hand: Hand) -> None:
        hand.stage, hand.began = Stage.SERVING, self._clock.seconds()
        hand.send("serve")
        self._leading.look()

    def _serving(self, hand: Hand) -> None:
        _log.info("{worker} serves", worker=hand.name)
        self._have_a_spare(hand.generation)
        if hand.generation is self._next:
            # The others of it were told before, and the sockets are theirs too: nobody is refused.
            self._take_over(self._next)

    def _take_over(self, generation: Generation) -> None:
        old, self._present, self._next = self._present, generation, None
        self._next_timer.cancel()
        if old is not None:
            old.is_over = True
            for hand in self.hands:
                if hand.generation is old:
                    self._end(hand, "retire")
        self._settled(generation.plan)

    def give_up(self, why: str) -> None:
        """Those that were to take the place of others do not, if there are any."""
        generation, self._next = self._next, None
        if generation is None:
            return
        if self._next_timer.active():
            self._next_timer.cancel()
        generation.is_over = True
        _log.error("the new workers do not take over ({why}); those that serve go on as they are", why=why)
        for hand in self.hands:
            if hand.generation is generation:
                self._end(hand, "stop")
        if self._present is not None:
            self._settled(self._present.plan)

    # Ends.

    def _replace(self, hand: Hand, was: Stage, how: str) -> None:
        generation = hand.generation
        lasted = was is Stage.SERVING and self._clock.seconds() - hand.began >= SOON
        generation.failures = 1 if lasted else generation.failures + 1
        wait = generation.wait
        if was is Stage.SPARE:
            self._after(max(wait, 1.0), self._have_a_spare, generation)
            return
        _log.error(
            "{worker} has ended ({how}); {then}",
            worker=hand.name,
            how=how,
            then="it is replaced"
            if not wait
            else f"{generation.failures} in a row have, soon after their start: it is replaced in {wait:.1f} s",
        )
        self._after(wait, self._open_again, generation)

    def _ends_alone(self, hand: Hand) -> None:
        if hand.stage is Stage.SERVING and self._stopped is None:
            _log.info("{worker} was told by somebody to end: it is replaced", worker=hand.name)
            self._end(hand, "retire")
            self._open_again(hand.generation)

    def _open_again(self, generation: Generation) -> None:
        if generation.is_over or self._stopped is not None:
            return
        try:
            self._open_one(generation)
        except OSError as error:
            generation.failures += 1
            wait = max(1.0, generation.wait)
            _log.error("no process can be started, again in {wait:.0f} s: {why}", wait=wait, why=error.strerror)
            self._after(wait, self._open_again, generation)

    def _after(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        if seconds <= 0:
            call(*arguments)
            return
        self._later = [timer for timer in self._later if timer.active()]
        self._later.append(self._clock.callLater(seconds, call, *arguments))

    def _end(self, hand: Hand, say: str) -> None:
        if hand.stage in (Stage.RETIRING, Stage.GONE) and say == "retire":
            return
        hand.is_asked_for = True
        if hand.stage in (Stage.SPARE, Stage.OPENING, Stage.READY):
            hand.kill()  # it has nothing that could be lost
            return
        hand.stage = Stage.RETIRING
        hand.send(say)
        wait = hand.generation.plan.drain_timeout + LINGERING[say]
        hand.timers.append(self._clock.callLater(wait, self._too_late, hand, Stage.RETIRING))

    def _too_late(self, hand: Hand, stage: Stage) -> None:
        if hand.stage is stage:
            _log.error("{worker} takes too long and is killed: it {does}", worker=hand.name, does=stage.value)
            hand.kill()

    def _look_whether_over(self) -> None:
        if self._stopped is not None and not self._hands and not self._stopped.called:
            self._stopped.callback(None)
