"""Natural and man-made classes: our lists are complete and agree, and a user's list is read or refused by line."""

from __future__ import annotations

from importlib import resources

import pytest

from tlbench.datasets import DataError, declared_kinds, read_class_list
from tlbench.datasets.class_kinds import LISTS


def rows_of(name):
    text = resources.files("tlbench.datasets").joinpath("class_kinds", name).read_text(encoding="utf-8")
    return [tuple(line.split(",")) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("name", "natural", "man_made"),
    [("imagenet.csv", 449, 551), ("cifar10.csv", 6, 4), ("cifar100.csv", 70, 30), ("caltech101.csv", 51, 50)],
)
def test_each_list_is_complete(name, natural, man_made):
    header, *rows = rows_of(name)
    assert header[1] == "kind"
    assert len({one for one, _ in rows}) == len(rows) == natural + man_made
    assert [kind for _, kind in rows].count("natural") == natural
    assert {kind for _, kind in rows} == {"natural", "man-made"}


def test_lists_agree_on_what_they_share():
    known = {}
    for name in LISTS:
        for one, kind in rows_of(name)[1:]:
            assert known.setdefault(one.casefold(), kind) == kind, one


def test_a_list_that_knows_every_class_decides():
    assert declared_kinds(("cat", "ship")) == ("natural", "man-made")
    assert declared_kinds(("n01440764", "n04604644")) == ("natural", "man-made")
    assert declared_kinds(("maple tree", "Pickup-Truck", "sweet_pepper")) == ("natural", "man-made", "natural")
    assert declared_kinds(("Faces_easy", "yin_yang")) == ("natural", "man-made")
    assert declared_kinds(("cat", "ship", "unicorn")) is None
    assert declared_kinds(("cat", "yin_yang")) is None  # each known, but to different lists
    assert declared_kinds(()) is None


CLASSES = ("oak tree", "car", "bus", "fern", "stone")


def test_a_users_list_is_read(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("\ufeffkind, class\nnatural, Oak-tree\nman-made,car\nman-made,bus\nnatural,fern\n", "utf-8")
    assert read_class_list(path, CLASSES) == ("natural", "man-made", "man-made", "natural", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no column 'class'; its first line must be class,kind"),
        ("class,sort\ncar,natural\n", "has no column 'kind'"),
        ("class,kind\ncars,man-made\n", "line 2 of .*: there is no class 'cars'; did you mean 'car'"),
        ("class,kind\ncar,man-made\ncar,man-made\n", "line 3 of .*: class 'car' stands there twice"),
        ("class,kind\ncar,metal\n", "line 2 of .*: 'metal' is neither natural nor man-made"),
        ("class,kind\ncar\n", "line 2 of .*: '' is neither natural nor man-made"),
        ("class,kind\ncar,man-made\nbus,man-made\nfern,natural\n", "names 1 natural of these classes; at least two"),
        ("class,kind\nfern,natural\nstone,natural\n", "names 0 man-made of these classes"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(tmp_path, text, says):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        read_class_list(path, CLASSES)


def test_a_name_that_may_be_several_classes_is_taken_as_it_stands_or_refused(tmp_path):
    classes = ("Oak tree", "oak_tree", "car", "bus")
    path = tmp_path / "list.csv"
    rest = "Car,man-made\nbus,man-made\n"
    path.write_text(f"class,kind\noak_tree,natural\nOak tree,natural\n{rest}")
    assert read_class_list(path, classes) == ("natural", "natural", "man-made", "man-made")
    path.write_text(f"class,kind\noak_tree,natural\noak-tree,natural\n{rest}")
    with pytest.raises(DataError, match=r"line 3 of .*: 'oak-tree' may be 'Oak tree' or 'oak_tree'; write it as one"):
        read_class_list(path, classes)


def test_a_list_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none\.csv"):
        read_class_list(tmp_path / "none.csv", CLASSES)
    (tmp_path / "binary.csv").write_bytes(b"class,kind\n\xff\xfe,natural\n")
    with pytest.raises(DataError, match="is not a CSV file in UTF-8"):
        read_class_list(tmp_path / "binary.csv", CLASSES)
