"""``python -m tlbench`` and the command: an interruption while modules are still being read ends it in a line, too."""

import os
import signal

SAYS_INTERRUPTED = "interrupted; what had finished is kept: the same command goes on from there"


def _leave(*_: object) -> None:
    os.write(2, f"tlbench: {SAYS_INTERRUPTED}\n".encode())
    os._exit(130)


def main() -> None:
    """Run ``cli.main``; until that listens a signal ends it: raised in an import it can turn into any error."""
    signal.signal(signal.SIGTERM, _leave)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)
    from .cli import main as commands

    commands()


if __name__ == "__main__":
    main()
