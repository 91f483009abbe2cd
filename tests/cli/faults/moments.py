"""Sends a signal at the n-th event of a stage of a run, counted over all its processes.

INTERRUPT: STAGE:N:SECONDS:SIGNAL:WHOM. The signal comes SECONDS after the N-th event of the stage (0: right before what
the event announces), or before the first event of a later stage; WHOM is group (every process) or parent.
MOMENTS: a folder with a file for each stage, as long as there were events, and ``sent``, what was sent where and when.
"""

import _thread
import os
import signal
import sys
import time

STAGES = ("start", "download", "extract", "features", "blocks", "tables", "figures")
OF_FILES = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
TREE = "data/caltech101/101_ObjectCategories"

folder = os.environ["MOMENTS"]
place = os.environ["HOME"] + "/"
wanted, number, seconds, name, whom = (os.environ.get("INTERRUPT") or "none:0:0:SIGTERM:group").split(":")
is_busy = False


def stage_of(event, arguments):
    """The stage in which something happens, or None where it is no moment to choose."""
    if event == "import":
        return "start" if "tlbench.cli" in sys.modules and os.getpid() == os.getpgid(0) else None
    if event == "socket.connect":
        return "download"
    if event == "sqlite3.connect":
        return "features"
    if event not in OF_FILES or isinstance(arguments[0], int):
        return None
    path = os.path.abspath(os.fsdecode(arguments[1] if event == "os.rename" else arguments[0]))  # noqa: PTH100
    publishing = {"publish": "tables", "draw": "figures"}.get(function_of_results())
    if publishing == "figures" or not path.startswith(place):
        return publishing
    writes = event != "open" or (arguments[2] or 0) & WRITING
    return stage_of_path(path.removeprefix(place), writes, publishing)


def stage_of_path(path, writes, publishing):
    if ".unpacking-" in path:
        return "extract"
    if path.startswith(TREE):
        return "extract" if writes else "features"
    if path.startswith(("data/features/", "data/identities/")):
        return "features" if writes else None
    if path.startswith("data/caltech101/"):
        return "download" if writes else None
    if path.startswith("results/"):
        return publishing or ("blocks" if writes else None)
    return None


def function_of_results():
    """Which function of ``tlbench/results.py`` is at work."""
    if "tlbench.results" not in sys.modules:
        return None
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.endswith("tlbench/results.py") and frame.f_code.co_name in ("publish", "draw"):
            return frame.f_code.co_name
        frame = frame.f_back
    return None


def count(stage):
    """How many events of the stage there were, this one included, whichever process counts."""
    file = os.open(f"{folder}/{stage}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(file, b".")
        return os.lseek(file, 0, os.SEEK_CUR)
    finally:
        os.close(file)


def send(stage, event, arguments):
    time.sleep(float(seconds))
    target = os.getpgid(0)
    with open(f"{folder}/sent", "a") as file:  # noqa: PTH123
        file.write(f"{stage}\t{event}\t{str(arguments)[:200]!r}\t{time.monotonic()}\n")
    (os.killpg if whom == "group" else os.kill)(target, getattr(signal, name))


def watch(event, arguments):
    global is_busy
    if is_busy:
        return
    is_busy = True
    try:
        stage = stage_of(event, arguments)
        if stage is None:
            return
        is_later = wanted in STAGES and STAGES.index(stage) > STAGES.index(wanted)
        counted = count(stage)
        if (stage == wanted and counted == int(number)) or (is_later and count("later") == 1):
            if float(seconds):
                _thread.start_new_thread(send, (stage, event, arguments))
            else:
                send(stage, event, arguments)
    finally:
        is_busy = False


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and os.getpid() == os.getpgid(0):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that a shell has put into the background
sys.addaudithook(watch)
