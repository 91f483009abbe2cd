"""What a shell is told after TAB: names that begin so, and nothing, in silence, where there are none."""

import shutil
import subprocess

import pytest


def offered(place, *words):
    """What bash would be offered for the last of the words."""
    done = place.tlbench(
        _TLBENCH_COMPLETE="bash_complete", COMP_WORDS=" ".join(("tlbench", *words)), COMP_CWORD=len(words)
    )
    assert done.err == ""
    return [line.partition(",")[2] for line in done.out.splitlines() if line.startswith("plain")]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("run", "caltech-m"), ["caltech-multisource"]),
        (("check", "yos"), ["yosinski-layers"]),
        (("run", "caltech-multisource", "--dataset", "dig"), ["digits"]),
        (("run", "caltech-multisource", "--profile", ""), ["smoke", "quick", "paper"]),
        (("run", "caltech-multisource", "--set", "neg"), ["negatives="]),
        (("run", "caltech-multisource", "--features", "reg"), ["regcov"]),
        (("data", "fetch", "caltech256-"), ["caltech256-features"]),
        (("run", "nothing-like-it", "--profile", ""), []),
        (("run", "zzz"), []),
    ],
)
def test_names_that_begin_so(place, words, names):
    assert offered(place, *words) == names


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_reads(place, shell):
    script = place.succeed("completion", shell).out
    assert "_TLBENCH_COMPLETE" in script
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr


def test_no_color_is_obeyed(birds_done):
    done = birds_done.succeed("check", NO_COLOR="1", FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b[3" not in done.out
