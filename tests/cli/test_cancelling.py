import os
import signal

import pytest

from gateway.cli.cancelling import cancel_on_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_the_run_to_stop_and_says_so(number, capsys):
    before = signal.getsignal(number)
    with cancel_on_signal() as cancel:
        assert not cancel.is_set()
        os.kill(os.getpid(), number)
        assert cancel.wait(5)
    assert "Ctrl-C again stops at once" in capsys.readouterr().err
    assert signal.getsignal(number) is before


def test_a_second_signal_stops_at_once():
    with cancel_on_signal() as cancel:
        os.kill(os.getpid(), signal.SIGINT)
        assert cancel.wait(5)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
