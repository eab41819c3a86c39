"""The command, as all tests of this room call it."""

import pytest

from keyfilters.cli import main


@pytest.fixture
def run(capsys):
    """`run(*arguments)`: the exit status of the command, what it prints, and what it says of mistakes."""

    def call(*arguments):
        status = main([str(a) for a in arguments])
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def refuses(run):
    """`refuses(message, *arguments)`: the command prints nothing, and says in one line what is wrong."""

    def call(message, *arguments):
        status, out, err = run(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1) and err.startswith("keyfilters: ") and message in err, err

    return call
