"""`python -m gateway.galaxy`: the same as `gateway-galaxy`."""

from gateway.galaxy.command import main

main(prog_name="gateway galaxy")
