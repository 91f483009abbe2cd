"""A protocol file says one thing, and what is wrong with it is said by the key."""

from __future__ import annotations

import copy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlbench import protocol, studies
from tlbench.protocol import ProtocolError, columns_used, parse, read, words_used
from tlbench.settings import resolve

PLACES = {  # a mistyped key in every kind of table: where, key, what was meant
    "top": ((), "sorce", "source"),
    "data": (("data",), "defalt", "default"),
    "choice": (("choices", "C"), "valu", "value"),
    "profile": (("profiles", "tiny"), "seds", "seeds"),
    "figure": (("figures", 0), "titel", "title"),
    "claim": (("claims", 2), "margn", "margin"),
    "expectation": (("claims", 2, "expects", "other-data"), "verdit", "verdict"),
    "reference": (("reference",), "fil", "file"),
}


def at(content, path):
    for step in path:
        content = content[step]
    return content


@pytest.mark.parametrize("name", sorted(protocol.shipped()))
def test_what_ships_is_whole(name):
    declared = read(name)
    assert declared.name == name
    study = studies.find(declared.study)
    for profile in declared.profiles:
        resolve(declared, study, profile, {})
    assert set(declared.conditions) <= set(study.says)
    assert set(declared.oracles) <= set(declared.conditions)
    for figure in declared.figures:
        assert figure.table == "measurements" or figure.table in study.tables
    for claim in declared.claims:
        named = {level for column, level in words_used(claim) if column == "condition"}
        assert len(named) >= 1
        assert named <= set(declared.conditions)
        of = claim.of if isinstance(claim.of, list) else [claim.of]
        assert not {part.get("condition") for part in of} & set(declared.oracles), "an oracle is never what is tested"
    for part in (*declared.claims, *declared.figures):
        if getattr(part, "table", "measurements") == "measurements":
            known = {"unit", "split", "condition", *declared.factors, "metric", "value"}
            assert set(columns_used(part)) <= known


def test_a_shipped_protocol_is_read_by_name_or_by_path(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_bytes(protocol.shipped()["caltech-multisource"].read_bytes())
    assert read(str(mine)) == read("caltech-multisource")


def test_an_edited_copy_needs_a_name_of_its_own(tmp_path):
    mine = tmp_path / "mine.toml"
    shipped = protocol.shipped()["caltech-multisource"].read_text(encoding="utf-8")
    edited = shipped.replace("shots = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", "shots = [1, 2, 3]")
    assert edited != shipped
    mine.write_text(edited, encoding="utf-8")
    with pytest.raises(ProtocolError, match="differs from the shipped 'caltech-multisource' but bears its name"):
        read(str(mine))
    mine.write_text(edited.replace('= "caltech-multisource"', '= "mine"'), encoding="utf-8")
    assert read(str(mine)).factors == {"shots": [1, 2, 3]}


def test_the_copy_in_a_manifest_is_the_same_protocol(toy):
    for declared in (parse(toy.content, "toy.toml"), read("caltech-multisource")):
        assert parse(msgspec.json.decode(msgspec.json.encode(declared)), "copy") == declared


@pytest.mark.fault("input")
@pytest.mark.parametrize("place", PLACES)
def test_a_mistyped_key_is_named_with_the_nearest_one(toy, place):
    path, wrong, meant = PLACES[place]
    toy.content["reference"] = {"file": "numbers.csv", "says": "they", "name": "their numbers"}
    at(toy.content, path)[wrong] = 1
    with pytest.raises(ProtocolError, match=f"unknown key '{wrong}'.*did you mean '{meant}'") as error:
        parse(toy.content, "mine.toml")
    assert str(error.value).startswith("mine.toml: ")


@pytest.mark.parametrize(("path", "key"), [(("profiles", "tiny"), "why"), (("claims", 0), "units"), ((), "seeds")])
def test_a_key_that_belongs_elsewhere_is_not_suggested_for_itself(toy, path, key):
    at(toy.content, path)[key] = "x"
    with pytest.raises(ProtocolError, match=f"unknown key '{key}'") as error:
        parse(toy.content, "mine.toml")
    assert f"did you mean '{key}'" not in str(error.value)


@pytest.mark.fault("input")
def test_a_mistyped_end_of_a_range_is_not_ignored(toy):
    toy.content["claims"][0]["over"] = {"shots": {"form": 2}}
    with pytest.raises(ProtocolError, match="form"):
        parse(toy.content, "mine.toml")


@pytest.mark.fault("input")
@given(key=st.text(min_size=1).filter(lambda key: key.isprintable() and "`" not in key))
def test_no_unknown_key_passes(key):
    declared = msgspec.json.decode(msgspec.json.encode(read("caltech-multisource")))
    if key in declared:
        return
    with pytest.raises(ProtocolError) as error:
        parse({**declared, key: 1}, "mine.toml")
    assert f"'{key}'" in str(error.value)


@pytest.mark.fault("input")
@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ((), "asks", 3),
        ((), "conditions", "plain"),
        ((), "conditions", []),
        ((), "profiles", {}),
        (("profiles", "tiny"), "seeds", "3"),
        (("profiles", "tiny"), "seeds", True),
        (("profiles", "tiny"), "seeds", 0),
        (("profiles", "tiny"), "seeds", 1.5),
        (("choices", "C"), "why", ""),
        (("choices", "C"), "value", {"a": 1}),
        (("data",), "categories", "dog"),
        (("figures", 0), "kind", "pie"),
        (("claims", 0), "test", "coverage"),
        (("claims", 2), "margin", 0),
        (("claims", 2), "margin", "1"),
        (("claims", 1), "direction", "up"),
        (("claims", 2, "expects", "other-data"), "verdict", "missing"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(toy, path, key, value):
    at(toy.content, path)[key] = value
    with pytest.raises(ProtocolError) as error:
        parse(toy.content, "mine.toml")
    assert key in str(error.value).partition("mine.toml: ")[2].partition(": ")[0]


def test_a_word_that_is_none_of_a_list_is_answered_with_the_list(toy):
    toy.content["claims"][0]["test"] = "diference"
    with pytest.raises(ProtocolError) as error:
        parse(toy.content, "mine.toml")
    assert str(error.value) == (
        "mine.toml: claims[0].test: there is no 'diference'; "
        "known are difference, equivalent, not_worse, rank_correlation, slope, two_sample; did you mean 'difference'?"
    )


@pytest.mark.fault("input")
@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a/b", "a b", "-x", "é"])
def test_a_name_is_fit_for_a_folder(toy, name):
    toy.content["name"] = name
    with pytest.raises(ProtocolError, match="name"):
        parse(toy.content, "mine.toml")


@pytest.mark.fault("input")
@pytest.mark.parametrize(
    ("path", "key"),
    [((), "asks"), ((), "factors"), (("data",), "default"), (("choices", "C"), "why"), (("profiles", "tiny"), "seeds")]
    + [(("claims", 0), key) for key in ("id", "says", "source", "test", "of")]
    + [(("claims", 2, "expects", "other-data"), "why")],
)
def test_a_missing_key_is_named(toy, path, key):
    del at(toy.content, path)[key]
    with pytest.raises(ProtocolError, match=f"missing required field '{key}'"):
        parse(toy.content, "mine.toml")


@pytest.mark.parametrize(
    ("place", "change", "key"),
    [
        (0, {"margin": 1.0}, "has no 'margin'"),
        (0, {"along": "shots"}, "has no 'along'"),
        (0, {"direction": "rises"}, "has no 'direction'"),
        (1, {"margin": 1.0}, "has no 'margin'"),
        (1, {"along": None}, "needs 'along'"),
        (1, {"direction": None}, "needs 'direction'"),
        (2, {"margin": None}, "needs 'margin'"),
        (2, {"along": "shots"}, "has no 'along'"),
    ],
)
def test_each_test_has_its_own_keys(toy, place, change, key):
    claim = toy.content["claims"][place]
    claim.update(change)
    with pytest.raises(ProtocolError, match=key) as error:
        parse(toy.content, "mine.toml")
    assert claim["id"] in str(error.value)


def test_a_whole_number_will_do_for_a_margin(toy):
    toy.content["claims"][2]["margin"] = 2
    assert parse(toy.content, "mine.toml").claims[2].margin == 2.0


@pytest.mark.parametrize("what", ["claims", "figures"])
def test_a_name_used_twice_is_refused(toy, what):
    again = copy.deepcopy(toy.content[what][0])
    toy.content[what].append(again)
    with pytest.raises(ProtocolError, match=f"'{again.get('id', again.get('name'))}' is declared twice"):
        parse(toy.content, "mine.toml")


def test_the_default_profile_is_there(toy):
    toy.content["default_profile"] = "long"
    with pytest.raises(ProtocolError, match="'long'"):
        parse(toy.content, "mine.toml")


@pytest.mark.fault("input")
@pytest.mark.parametrize(
    ("content", "says"),
    [(b"name = ", "not TOML"), (b"name = '\xff'", "cannot be read"), (b"\xff\xfe", "cannot be read")],
)
def test_a_file_that_is_no_toml(tmp_path, content, says):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ProtocolError, match=says) as error:
        read(str(path))
    assert str(path) in str(error.value)


@pytest.mark.fault("input")
def test_an_empty_file_lacks_its_keys(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"")
    with pytest.raises(ProtocolError, match="missing required field"):
        read(str(path))


@pytest.mark.fault("input")
def test_a_folder_and_a_path_to_nothing(tmp_path):
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    with pytest.raises(ProtocolError, match="cannot be read"):
        read(str(folder))
    with pytest.raises(ProtocolError, match="cannot be read"):
        read(f"{tmp_path}/")
    with pytest.raises(ProtocolError, match="there is no protocol file"):
        read(str(tmp_path / "none.toml"))


def test_an_unknown_experiment_is_answered_with_the_nearest():
    with pytest.raises(ProtocolError, match="no experiment 'caltech-multisorce'; did you mean 'caltech-multisource'"):
        read("caltech-multisorce")
    with pytest.raises(ProtocolError, match=r"known are .*caltech-multisource"):
        read("zzz")


def test_an_unknown_study_is_answered_with_the_nearest():
    with pytest.raises(ProtocolError, match="no study 'source_weightin'; did you mean 'source_weighting'"):
        studies.find("source_weightin")
