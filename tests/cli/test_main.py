import subprocess
import sys

import click
import pytest

from gateway.cli.group import COMMANDS, exit_code, tell
from gateway.cli.main import main
from gateway.errors import (
    CallError,
    CorruptionError,
    RefError,
    RunCancelledError,
    RunError,
    SettingsError,
    ToolNotFoundError,
)


def test_help_lists_every_command_and_the_exit_codes(shell):
    said = shell("--help")
    assert said.code == 0
    for name in COMMANDS:
        assert name in said.out
    assert "0 done, 1 failed, 2 bad call, 130 cancelled" in said.out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_itself_says(name):
    command = main.get_command(None, name)
    assert command.name == name
    assert command.help.splitlines()[0] == COMMANDS[name].summary


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_each_option(name, shell):
    said = shell(name, "--help")
    assert said.code == 0
    for option in main.get_command(None, name).params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.name} has no help"


def test_help_imports_no_command_and_no_numerical_library():
    script = (
        "import sys; from gateway.cli.main import main; main(['--help'], standalone_mode=False);"
        "print([m for m in sys.modules if m.partition('.')[0] in {'numpy', 'pydantic', 'numba',"
        " 'tensorstore', 'sqlalchemy', 'matplotlib'}], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert done.stderr.strip() == "[]"


HEAVY = ("tifffile", "nibabel", "matplotlib", "skimage", "pandas", "alembic", "rocrate", "h5py")


@pytest.mark.parametrize(
    "start",
    [
        "from gateway.cli.main import main; main(['--help'], standalone_mode=False)",
        "import gateway.run.worker",
        "import gateway.cli.commands.run",
        "import gateway.cli.commands.ingest",
    ],
)
def test_what_starts_often_loads_no_library_that_is_seldom_needed(start):
    script = f"import sys; {start}; print(set({HEAVY}) & set(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stderr.strip() == "set()"


@pytest.mark.parametrize("name", ["ls", "show", "verify", "catalog"])
def test_commands_that_compute_nothing_load_no_compiler(name):
    script = f"import sys, gateway.cli.commands.{name}; print('numba' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CallError("x"), 2),
        (RefError("x"), 2),
        (ToolNotFoundError("x"), 2),
        (SettingsError("x"), 2),
        (RunError("x"), 1),
        (CorruptionError("x"), 1),
        (ValueError("x"), 1),
        (RunCancelledError("x"), 130),
        (KeyboardInterrupt(), 130),
        (SystemExit(3), 3),
    ],
)
def test_every_outcome_has_its_exit_code(error, code):
    assert exit_code(error) == code


def test_an_error_is_one_line_and_json_holds_it_too(capsys):
    tell(RunError("block 3 failed"), 1, as_json=True, debug=False)
    said = capsys.readouterr()
    assert '"type": "RunError"' in said.out
    assert said.err == "gateway: block 3 failed\n"


def test_debug_shows_where(capsys):
    tell(RunError("block 3 failed"), 1, as_json=False, debug=True)
    assert "RunError: block 3 failed" in capsys.readouterr().err


def test_a_fault_of_ours_is_called_so(capsys):
    tell(ZeroDivisionError("oops"), 1, as_json=False, debug=False)
    assert "a fault of ours" in capsys.readouterr().err


def test_an_unknown_command_is_a_bad_call(shell):
    said = shell("lss")
    assert said.code == 2
    assert "lss" in said.err
    assert shell("lss", "--json").json["error"]["exit_code"] == 2


def test_a_command_that_needs_a_home_says_how_to_make_one(shell):
    said = shell("ls")
    assert said.code == 2
    assert "gateway init HOME" in said.err


def test_home_is_taken_before_and_after_the_command(shell, home):
    assert shell("--home", home, "ls").code == 0
    assert shell("ls", "--home", home).code == 0


def test_home_is_taken_from_the_environment_unless_an_option_says_otherwise(
    shell, home, monkeypatch, tmp_path
):
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "nowhere"))
    assert shell("ls").code == 2
    assert shell("--home", home, "ls").code == 0


def test_the_version_is_told(shell):
    said = shell("--version")
    assert said.code == 0
    assert said.out.startswith("gateway ")


def test_no_words_at_all_show_the_help(shell):
    said = shell()
    assert said.code == 2
    assert said.err.count("Usage:") == 1
    assert "demo" in said.err


def test_a_reader_that_has_had_enough_is_no_error():
    words = "from gateway.cli.main import main; main(['tools', '--json'])"
    with subprocess.Popen(
        [sys.executable, "-c", words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert b"fault of ours" not in said
    assert b"BrokenPipe" not in said
