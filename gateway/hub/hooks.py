"""What is done before a notebook server starts and after it stopped, one hook after the other.

To plug one in, write a class with the two methods of `Hook` and make it in `make_hooks`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from gateway.errors import GatewayError
from gateway.hub.facts import Facts
from gateway.hub.lending import Lending
from gateway.hub.notebook_token import NotebookToken
from gateway.hub.spawners import SpawnerKind
from gateway.service.gateway import Gateway

_NO_REASON = "the notebook server could not be started; the hub's log says why"


class Hook(Protocol):
    """Does something around the life of a notebook server.

    `spawner` is JupyterHub's: `spawner.user.name`, `spawner.name` of a named server,
    `spawner.user_options` that were chosen, `spawner.environment` that may be added to.
    """

    async def before_start(self, spawner: Any) -> None:
        """Do it; an error of ours stops the start, and its message is shown to the person."""

    async def after_stop(self, spawner: Any) -> None:
        """Undo it. Also called when the server died, or when a start failed; must not fail."""


def make_hooks(gateway: Gateway, facts: Facts, kind: SpawnerKind) -> list[Hook]:
    """Return the hooks of a hub, in the order in which they come before a start."""
    del kind  # for hooks that only some spawners want; lending finds out from the server itself
    return [NotebookToken(gateway, facts), Lending(gateway)]


def before_start(hooks: Sequence[Hook]) -> Callable[[Any], Awaitable[None]]:
    """Return what JupyterHub calls before a start."""

    async def run(spawner: Any) -> None:
        for hook in hooks:
            try:
                await hook.before_start(spawner)
            except BaseException as error:
                await after_stop(hooks)(spawner)
                explain(error)
                raise

    return run


def after_stop(hooks: Sequence[Hook]) -> Callable[[Any], Awaitable[None]]:
    """Return what JupyterHub calls after a stop: each hook is called, whatever the others do."""

    async def run(spawner: Any) -> None:
        for hook in reversed(hooks):
            try:
                await asyncio.shield(hook.after_stop(spawner))
            except Exception:  # one hook must not keep the others from their work
                spawner.log.exception("%s failed after a stop", type(hook).__name__)

    return run


def explain(error: BaseException) -> None:
    """Let the page of a failed start show the reason."""
    if not hasattr(error, "jupyterhub_message"):
        message = str(error) if isinstance(error, GatewayError) else _NO_REASON
        error.jupyterhub_message = message  # type: ignore[attr-defined]  # JupyterHub looks for it
