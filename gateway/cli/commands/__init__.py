"""One file per command; `gateway.cli.group` loads each when it is called."""
