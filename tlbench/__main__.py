"""``python -m tlbench`` and the command: Ctrl-C while modules are still being read ends it in a line, too."""

import os
import signal


def _leave(*_: object) -> None:
    os.write(2, b"tlbench: interrupted\n")
    os._exit(130)


def main() -> None:
    """Run ``cli.main``; until that listens, Ctrl-C ends at once: raised within an import it can turn into any error."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)
    from .cli import main as commands

    commands()


if __name__ == "__main__":
    main()
