"""Blocks carried from one machine's results to another's, and archives that nobody should trust."""

import hashlib
import json
import shutil
import zipfile

import pytest


def rewritten(archive, target, change):
    """A copy of an archive in which ``change(name, content)`` gives each file's new name and content."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            name, content = change(entry.filename, old.read(entry))
            new.writestr(name, content)
    return target


@pytest.fixture
def archive(birds_done):
    birds_done.succeed("export", "birds.zip")
    return birds_done.folder / "birds.zip"


def test_what_was_finished_elsewhere_is_not_done_again(birds_done, archive, other_place, birds_reference):
    shutil.copy2(birds_done.folder / "birds.csv", other_place.folder)
    taken = other_place.succeed("import", archive)
    assert taken.out.startswith(f"{archive}: 48 blocks taken over, 0 here already\n")
    before = other_place.touched(other_place.blocks)
    other_place.succeed(*other_place.birds, "--quiet")
    assert other_place.published() == birds_reference
    assert other_place.touched(other_place.blocks) == before
    again = other_place.succeed("import", archive)
    assert "0 blocks taken over, 48 here already" in again.out
    assert other_place.touched(other_place.blocks) == before
    other_place.assert_nothing_left_over()


@pytest.mark.slow
def test_an_unfinished_run_is_carried_as_far_as_it_got_without_what_is_damaged(
    birds_done, birds_reference, other_place
):
    shutil.copy2(birds_done.folder / "birds.csv", other_place.folder)
    for path in birds_done.blocks[:40]:
        path.unlink()
    (birds_done.run_folder / "manifest.json").unlink()
    with birds_done.blocks[0].open("ab") as file:
        file.write(b" ")
    done = birds_done.succeed("export", "part.zip", "caltech-multisource")
    assert done.out.startswith("7 blocks of 1 run in part.zip")
    assert "note: 1 left out, for they are damaged: " in done.err
    assert "7 blocks taken over" in other_place.succeed("import", birds_done.folder / "part.zip").out
    other_place.succeed(*other_place.birds, "--quiet")
    assert other_place.published() == birds_reference


def test_the_same_blocks_make_the_same_archive(birds_done, archive):
    birds_done.succeed("export", "again.zip")
    assert (birds_done.folder / "again.zip").read_bytes() == archive.read_bytes()


def signed(body):
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def flipped(name, content):
    return name, content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]


def untyped(name, content):
    return name, signed(b'{"block": 7}')


def changed(change):
    """The tables of a block are others, under a checksum that holds."""

    def change_tables(name, content):
        body = json.loads(content.partition(b"\n")[2])
        change(body["tables"]["measurements"])
        return name, signed(json.dumps(body).encode())

    return change_tables


def in_words(columns):
    columns["value"] = ["many"] * len(columns["value"])


def cut_short(columns):
    columns["value"] = columns["value"][:-1]


def emptied(columns):
    for name in columns:
        columns[name] = []


def nested(columns):
    columns["value"][0] = [[0.5]]


def of_another_condition(columns):
    columns["condition"][0] = "none of these"


@pytest.mark.parametrize(
    "change",
    [
        flipped,
        untyped,
        changed(in_words),
        changed(cut_short),
        changed(emptied),
        changed(nested),
        changed(of_another_condition),
        lambda name, content: (name, signed(b'{"block":' + b"[" * 20_000)),
        lambda name, content: (name, b"0" * 70_000_000 if name.endswith("0.json") else b""),
        lambda name, content: (name.replace("caltech", "c" * 250), content),
        lambda name, content: (f"../{name}", content),
        lambda name, content: (f"/{name}", content),
        lambda name, content: (name.replace("caltech-multisource", ".."), content),
        lambda name, content: (name.replace("caltech-multisource", ".ssh"), content),
        lambda name, content: (name.replace(".json", ".py"), content),
        lambda name, content: (name.replace("blocks/", "blocks/../"), content),
        lambda name, content: (name.replace("/", "\\"), content),
        lambda name, content: (name.replace("blocks", "weights").replace(".json", ".safetensors"), content),
    ],
)
@pytest.mark.fault("security")
def test_nothing_unsound_is_taken_and_nothing_is_written_elsewhere(archive, tmp_path, other_place, change):
    evil = rewritten(archive, tmp_path / "evil.zip", change)
    refused = other_place.tlbench("import", evil)
    assert refused.status == 1
    assert "0 blocks taken over" in refused.out
    assert "note: 48 refused, for they are damaged or none of ours: " in refused.err
    assert refused.err.count("\n") == 1
    assert [path for path in other_place.everything() if path.is_file()] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.zip", "other", "place"]


@pytest.mark.fault("damage")
def test_damage_in_the_packing_costs_one_block(archive, other_place):
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        entry = file.infolist()[5]
    start = entry.header_offset + 30 + len(entry.filename)
    content[start : start + 40] = bytes(40)
    archive.write_bytes(content)
    taken = other_place.tlbench("import", archive)
    assert taken.status == 1
    assert "47 blocks taken over" in taken.out
    assert f"note: 1 refused, for they are damaged or none of ours: {entry.filename}\n" == taken.err


def test_an_empty_archive_is_said_to_be_one(place):
    zipfile.ZipFile(place.folder / "empty.zip", "w").close()
    refused = place.tlbench("import", "empty.zip")
    assert (refused.status, refused.err) == (2, "tlbench: empty.zip is an empty archive; export again\n")


@pytest.mark.fault("security")
def test_a_block_under_anothers_key_is_refused(archive, tmp_path, other_place):
    names = zipfile.ZipFile(archive).namelist()
    next_one = dict(zip(names, names[1:] + names[:1], strict=True))
    evil = rewritten(archive, tmp_path / "evil.zip", lambda name, content: (next_one[name], content))
    refused = other_place.tlbench("import", evil)
    assert refused.status == 1
    assert "note: 48 refused" in refused.err
    assert other_place.blocks == []


def test_numbers_that_differ_do_not_replace_those_that_are_here(birds_done, archive, tmp_path):
    def other_numbers(name, content):
        return name, signed(
            content.partition(b"\n")[2].replace(b'"x86_64"', b'"another"').replace(b'"aarch64"', b'"another"')
        )

    before = birds_done.touched(birds_done.blocks)
    done = birds_done.succeed("import", rewritten(archive, tmp_path / "other.zip", other_numbers))
    assert "0 blocks taken over, 0 here already" in done.out
    assert "note: 48 here with other numbers, which stay: " in done.err
    assert birds_done.touched(birds_done.blocks) == before
    damaged = birds_done.blocks[0]
    damaged.write_bytes(b"damaged")
    assert "1 block taken over, 47 here already" in birds_done.succeed("import", archive).out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("export", "new.zip", "--results", "nowhere"), "nowhere holds no finished block; there is nothing to export"),
        (("export", "new.zip", "toy-boundary"), "results holds no finished block of toy-boundary"),
        (("export", "new.zip", "caltech-multisource", "typo"), "results holds no finished block of typo"),
        (("export", "birds.csv"), "birds.csv exists already; remove it or name another"),
        (("export", "birds.csv/new.zip"), "birds.csv/new.zip cannot be written"),
        (("import", "birds.csv"), "birds.csv cannot be read as an archive of `tlbench export`"),
        (("import", "missing.zip"), "missing.zip"),
        (("import",), "ARCHIVES"),
    ],
)
def test_what_cannot_be_carried(birds_done, arguments, says):
    refused = birds_done.tlbench(*arguments)
    assert refused.status == 2
    assert says in refused.err
    assert "Traceback" not in refused.err
    assert not (birds_done.folder / "new.zip").exists()
    birds_done.assert_nothing_left_over()
