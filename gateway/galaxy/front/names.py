"""Which Galaxy user somebody of the hub is, and who may not be one; pure."""

from collections.abc import Collection

from gateway.errors import ForbiddenError


def address_of(name: str, *, administrator: bool, domain: str, reserved: Collection[str]) -> str:
    """Return the address under which Galaxy knows somebody of the hub.

    Args:
        name: Their name at the hub.
        administrator: Whether they administer the hub.
        domain: The domain that all who come through the hub get.
        reserved: Addresses of those who administer Galaxy.

    Raises:
        ForbiddenError: The name would make them somebody they are not.
    """
    account, mark, given = name.rpartition("@")
    if mark and (not account or given.casefold() == domain.casefold()):
        raise ForbiddenError(
            f"{name!r} is how Galaxy names {account or 'nobody'!r} of this hub; ask the "
            "administrator of the hub for another name"
        )
    if not name or any(c.isspace() or not c.isprintable() for c in name):
        raise ForbiddenError(f"Galaxy takes no name such as {name!r}; letters and digits are fine")
    address = name if mark else f"{name}@{domain}"
    if not administrator and address.casefold() in {item.casefold() for item in reserved}:
        raise ForbiddenError(
            f"{address} administers Galaxy, which only administrators of the hub may; ask one of "
            "them, or sign in under another name"
        )
    return address
