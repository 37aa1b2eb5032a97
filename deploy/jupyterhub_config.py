"""JupyterHub before a gateway: `GATEWAY_HOME=/srv/gateway jupyterhub -f jupyterhub_config.py`.

Everything is computed from the settings of the home; what no setting says is set below.
"""

from gateway.hub.configuring import configure

c = get_config()  # noqa: F821 - JupyterHub defines it
configure(c)
