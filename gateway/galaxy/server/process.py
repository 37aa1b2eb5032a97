"""Galaxy's process: started, waited for, stopped."""

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import psutil

from gateway.errors import ConflictError, RunError
from gateway.galaxy.server.site import Site

_READY_S = 600.0
_LOOK_S = 0.5
_TELL_S = 10.0
_STOP_S = 60.0
_LINES = 20


def start(site: Site) -> "subprocess.Popen[bytes]":
    """Start Galaxy; `wait_ready` tells when it answers.

    Raises:
        ConflictError: It runs already.
    """
    running = find(site)
    if running is not None:
        raise ConflictError(
            f"Galaxy of {site.home} runs already, process {running.pid}; stop it with "
            "`gateway-galaxy down`"
        )
    path = f"{site.environment / 'bin'}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")
    }
    environment |= {"PATH": path, "GALAXY_CONFIG_FILE": str(site.main_file)}
    if site.settings.base_url is not None:
        environment["BRAIN_GATEWAY_URL"] = site.settings.base_url
    program = str(site.environment / "bin/galaxy-web")
    # in a list of processes a command line is read by everybody: only names of files are on it
    command = [program, "-c", str(site.main_file), "-b", f"127.0.0.1:{site.port}"]
    with site.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - the program just installed
            command,
            cwd=site.working,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    site.pid_file.write_text(str(process.pid), encoding="ascii")
    return process


def wait_ready(site: Site, process: "subprocess.Popen[bytes]", say: Callable[[str], None]) -> None:
    """Wait until Galaxy answers.

    Raises:
        RunError: It ended, or did not answer in ten minutes; shows the end of its log.
    """
    begun = told = time.monotonic()
    while not answers(site):
        code = process.poll()
        now = time.monotonic()
        if code is not None:
            raise RunError(f"Galaxy ended with code {code} while starting; {_end_of_log(site)}")
        if now - begun > _READY_S:
            raise RunError(f"Galaxy did not answer within {_READY_S:.0f} s; {_end_of_log(site)}")
        if now - told > _TELL_S:
            say(f"starting Galaxy: {now - begun:.0f} s (the first start takes about a minute)")
            told = now
        time.sleep(_LOOK_S)


def answers(site: Site) -> bool:
    """Whether Galaxy answers."""
    try:
        with urllib.request.urlopen(f"{site.url}/api/version", timeout=5) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP
    except (OSError, urllib.error.URLError):
        return False


def find(site: Site) -> psutil.Process | None:
    """Return the running process of this Galaxy, or None."""
    try:
        process = psutil.Process(int(site.pid_file.read_text(encoding="ascii")))
        # the number may be that of another process by now; one that ended has no command line
        return process if str(site.main_file) in process.cmdline() else None
    except (OSError, ValueError, psutil.Error):
        return None


def is_meant_to_run(site: Site) -> bool:
    """Whether nobody stopped Galaxy since it was started."""
    return site.pid_file.is_file()


def stop(site: Site) -> bool:
    """Stop Galaxy and what it started; returns whether it ran."""
    process = find(site)
    # first, so that whoever started it knows that this is no accident
    site.pid_file.unlink(missing_ok=True)
    if process is None:
        return False
    process.send_signal(signal.SIGTERM)
    if not _wait_end(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
        _wait_end(process)
    return True


def _wait_end(process: psutil.Process) -> bool:
    """Tell whether a process ends in time; one that only its parent has yet to note has ended."""
    deadline = time.monotonic() + _STOP_S
    while time.monotonic() < deadline:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(_LOOK_S)
    return False


def _end_of_log(site: Site) -> str:
    try:
        lines = site.log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    shown = "\n".join(lines[-_LINES:]) or "it wrote nothing"
    return f"the end of {site.log}:\n{shown}"
