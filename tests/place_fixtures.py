"""What tests of the real command start from: places, empty or with a run that has finished in them."""

import shutil

import pytest

from tests.place import BIRDS, DIGITS, REPOSITORY, Place, save, table
from tests.warm import WarmProcess

FAULTS = REPOSITORY / "tests" / "cli" / "faults"


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    """A process with most imports behind it, and a folder for matplotlib: to find the fonts takes seconds."""
    process = WarmProcess(tmp_path_factory.mktemp("warm"))
    yield process
    process.close()


@pytest.fixture
def place(tmp_path, warm):
    return Place(tmp_path / "place", warm)


@pytest.fixture
def other_place(tmp_path, warm):
    return Place(tmp_path / "other", warm)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, warm):
    """One finished run on the digits, to be looked at and not touched: its place and what it printed."""
    place = Place(tmp_path_factory.mktemp("finished") / "place", warm)
    return place, place.succeed(*DIGITS, "--jobs", "2")


@pytest.fixture
def done(finished, place):
    """A copy of the finished run, to do anything with."""
    shutil.copytree(finished[0].folder / "results", place.folder / "results")
    return place


@pytest.fixture(scope="session")
def reference(finished):
    """What the finished run published, byte by byte."""
    return finished[0].published()


@pytest.fixture(scope="session")
def birds_finished(tmp_path_factory, warm):
    """One finished run on a small table, to be looked at and not touched."""
    place = Place(tmp_path_factory.mktemp("birds") / "place", warm)
    save(table(), place.folder / "birds.csv")
    place.succeed(*BIRDS, "--jobs", "2")
    return place


@pytest.fixture
def birds(birds_finished, place):
    """A place with the small table and no results."""
    shutil.copy2(birds_finished.folder / "birds.csv", place.folder)
    return place


@pytest.fixture
def birds_done(birds_finished, birds):
    """A place with the small table and a copy of its finished run."""
    shutil.copytree(birds_finished.folder / "results", birds.folder / "results")
    return birds


@pytest.fixture(scope="session")
def birds_reference(birds_finished):
    """What the run on the small table published, byte by byte."""
    return birds_finished.published()


@pytest.fixture(scope="session")
def faults():
    """A folder that, on PYTHONPATH, brings the faults that environment variables name."""
    return FAULTS


@pytest.fixture(scope="session")
def make_table():
    return table


@pytest.fixture(scope="session")
def save_table():
    return save
