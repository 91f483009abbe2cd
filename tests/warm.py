"""The command as a process that need not import much: it is forked from one that has.

Most of what a short command takes is imports, and the tests run a thousand short commands. A process that is forked
from a prepared one has a folder, an environment, streams, a session and an exit status of its own, like any other.
What only a fresh interpreter has (the order of its imports, a hash seed of its own) is left to tests that start one.
"""

import gc
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path


class WarmProcess:
    """The prepared process, as its owner sees it: started when it is first needed."""

    def __init__(self, folder):
        self.folder, self._process = folder, None

    def run(self, arguments, folder, environment, longest):
        """Exit status as ``subprocess`` gives it, what was written to both streams, and whether it was ended."""
        if not self._process:
            self._process = self._start(environment | {"HOME": str(self.folder)})
        with tempfile.TemporaryDirectory() as streams:
            paths = [Path(streams) / name for name in ("out", "err")]
            asked = {"arguments": arguments, "folder": str(folder), "environment": environment, "longest": longest}
            print(json.dumps(asked | {"streams": [str(path) for path in paths]}), file=self._process.stdin, flush=True)
            status, is_ended = json.loads(self._process.stdout.readline())
            return status, *(path.read_text(encoding="utf-8") for path in paths), is_ended

    def close(self):
        if self._process:
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()

    @staticmethod
    def _start(environment):
        return subprocess.Popen(
            [sys.executable, __file__],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def import_rooms():
    """What stands at the top of the package, the commands, and the libraries that these use.

    Not torch: a process of its size takes as long to fork and to end as a small one takes to start.
    """
    for name in ("tlbench", "tlbench.cli"):
        package = importlib.import_module(name)
        for module in pkgutil.iter_modules(package.__path__, f"{name}."):
            importlib.import_module(module.name)


def wait_for(child, longest):
    """The child's exit status, and whether it had to be ended."""
    ended = []

    def end(*_):
        ended.append(True)
        os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end)
    signal.alarm(longest)
    _, status = os.waitpid(child, 0)
    signal.alarm(0)
    return os.waitstatus_to_exitcode(status), bool(ended)


def become(asked):
    """What a process that was started for it would be."""
    os.setsid()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    for number, path in zip((0, 1, 2), (os.devnull, *asked["streams"]), strict=True):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        stream = os.open(path, flags, 0o600)
        os.dup2(stream, number)
        os.close(stream)
    sys.argv[:] = [importlib.import_module("tlbench.__main__").__file__, *asked["arguments"]]
    sys.path[0] = asked["folder"]


def main():
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    import_rooms()
    gc.collect()
    gc.freeze()
    for line in requests:
        asked = json.loads(line)
        if not (child := os.fork()):
            requests.close()
            answers.close()
            become(asked)
            return True
        print(json.dumps(wait_for(child, asked["longest"])), file=answers, flush=True)
    return False


if __name__ == "__main__" and main():
    # Here, not in a function that was called, so that the process ends as an interpreter ends.
    importlib.import_module("tlbench.__main__").main()
