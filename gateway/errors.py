"""Every exception the gateway raises on purpose, and nothing else.

A message names the thing, the value got, what was expected, and the way out.
"""


class GatewayError(Exception):
    """Root of the family: `except GatewayError` catches what a user can act on."""


class RefError(GatewayError, ValueError):
    """A ref or store URL is malformed or points outside its store."""


class NotFoundError(GatewayError, LookupError):
    """A store, dataset, volume, table, file or run that was named does not exist."""


class ExistsError(GatewayError, FileExistsError):
    """The name is taken: what exists in a store is immutable."""


class StoreError(GatewayError, OSError):
    """The storage failed: full, read-only, unreachable, or vanished."""


class FormatError(GatewayError, ValueError):
    """A file is broken, truncated, inconsistent or not of a known format."""


class BoxError(GatewayError, IndexError):
    """A box, level, channel or index reaches outside its volume."""


class AlignmentError(GatewayError, ValueError):
    """A write does not cover whole shards."""


class CorruptionError(GatewayError):
    """Stored content differs from its recorded digest."""


class SettingsError(GatewayError, ValueError):
    """A setting or the gateway home is missing or wrong."""


class ToolDefinitionError(GatewayError, TypeError):
    """A tool file breaks the tool contract; raised at import, never at run time."""


class ToolNotFoundError(GatewayError, LookupError):
    """No tool of that id is registered."""


class CallError(GatewayError, ValueError):
    """A call names an unknown port or parameter, or a value out of bounds."""


class PlanError(GatewayError):
    """A plan cannot fit in the memory or disk there is; raised before a byte is read."""


class RunError(GatewayError):
    """A run failed; the message names the pass and the block."""


class RunCancelledError(GatewayError):
    """The user stopped the run; running the same command again continues it."""


class SignInError(GatewayError):
    """Nobody is signed in, or the name, password or link offered does not hold."""


class ForbiddenError(GatewayError, PermissionError):
    """Who asks may not do this; names what was asked and the role it needs."""


class ConflictError(GatewayError):
    """What is to be changed was changed by somebody else since it was read."""


class LimitError(GatewayError):
    """More than one may ask for at once, or too often; names the limit."""
