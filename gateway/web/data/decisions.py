"""Who may read which thing: asked of the rights once, held until they change or a session ends."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import GatewayError, StoreError
from gateway.service.access.actor import Actor, Role
from gateway.service.access.audit import note
from gateway.service.access.changes import AccessWatch
from gateway.service.access.rights import require
from gateway.service.gateway import Gateway
from gateway.volumes.ref import Ref

_KEPT = 4096
_NOTED_S = 3600.0
"""Who keeps reading the same thing is noted in the audit log this often."""

Question = tuple[str | None, bytes, bytes, Ref]
"""The token of a link, the headers Authorization and Cookie, and what is asked for."""


@dataclass(frozen=True, slots=True)
class _Decision:
    until: float
    name: str = ""
    """Of the actor, for the log."""
    refusal: GatewayError | None = None


class Decisions:
    """The access check of every request for bytes; a repeated one costs two look-ups."""

    def __init__(self, gateway: Gateway) -> None:
        """Decide by the rights of a gateway."""
        self._gateway = gateway
        self._watch = AccessWatch(gateway)
        self._waits = gateway.database.dialect.name != "sqlite"
        self._version = -1
        self._asked: int | None = None
        self._made: OrderedDict[Question, _Decision] = OrderedDict()
        self._pending: dict[Question, asyncio.Task[_Decision]] = {}
        self._noted: OrderedDict[tuple[str, Ref], float] = OrderedDict()

    async def check(self, question: Question, identify: Callable[[], Actor]) -> str:
        """Refuse who may not see a thing; return the name of who may.

        Args:
            question: Who asks for what.
            identify: Tells who asks; called in a thread, where nothing holds already.

        Raises:
            SignInError: Nobody is signed in, and everyone may not.
            ForbiddenError: The actor has no role on it, or the link has ended.
            StoreError: The database cannot be asked.
        """
        # SQLite answers from memory; PostgreSQL is on the other side of a socket
        version = await asyncio.to_thread(self._watch.version) if self._waits else self._ask()
        if version != self._version:
            self._made.clear()
            self._pending.clear()
            self._version = version
        decision = self._made.get(question)
        if decision is None or decision.until <= time.time():
            decision = await self._decide(question, identify, version)
        if decision.refusal is not None:
            raise decision.refusal.with_traceback(None)
        return decision.name

    def close(self) -> None:
        """Let go of the database."""
        self._watch.close()

    def _ask(self) -> int:
        """Ask once for all requests that one turn of the loop answers.

        They had all been read when the turn began, so none was sent after a change that the
        answer misses: what is read later is answered in a later turn.
        """
        if self._asked is None:
            self._asked = self._watch.version()
            asyncio.get_running_loop().call_soon(self._forget_asked)
        return self._asked

    def _forget_asked(self) -> None:
        self._asked = None

    async def _decide(
        self, question: Question, identify: Callable[[], Actor], version: int
    ) -> _Decision:
        task = self._pending.get(question)
        if task is None:
            work = asyncio.to_thread(self._judge, question[3], identify)
            task = self._pending[question] = asyncio.create_task(work)
        try:
            # one who hangs up must not take the answer from the others
            decision = await asyncio.shield(task)
        finally:
            if task.done() and self._pending.get(question) is task:
                del self._pending[question]
        if version == self._version:
            self._made[question] = decision
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        return decision

    def _judge(self, ref: Ref, identify: Callable[[], Actor]) -> _Decision:
        try:
            actor = identify()
            require(self._gateway, actor, ref.dataset, Role.VIEWER, ref.name)
        except StoreError:
            raise  # nothing was decided
        except GatewayError as error:
            return _Decision(float("inf"), refusal=error)
        self._note(actor, ref)
        return _Decision(float("inf") if actor.until is None else actor.until, actor.name)

    def _note(self, actor: Actor, ref: Ref) -> None:
        now = time.monotonic()
        if self._noted.get((actor.name, ref), 0.0) > now:
            return
        note(self._gateway, actor, "data opened", ref.dataset, entry=ref.name)
        self._noted[actor.name, ref] = now + _NOTED_S
        while len(self._noted) > _KEPT:
            self._noted.popitem(last=False)
