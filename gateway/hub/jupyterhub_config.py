"""The file that `gateway up` gives to JupyterHub."""

from gateway.hub.configuring import configure

configure(get_config())  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it
