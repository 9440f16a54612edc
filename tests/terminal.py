"""Commands as a terminal starts them."""

import sys

_START = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"


def interruptible(command):
    """Let Ctrl-C reach a command also where the tests run in a shell's background, which ignores it."""
    return [sys.executable, "-c", _START, *command]
