"""Six files of the published layout, made up, and the ways in which they can be wrong."""

from __future__ import annotations

import numpy as np
import pytest

from tlbench.datasets import DataError, DataMissingError, Options, find, needed_files, open_data
from tlbench.datasets.multiple_features import MULTIPLE_FEATURES, WIDTHS, load_multiple_features


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Lines as UCI has them: numbers with blanks before and between; number j of numeral i is 1000 i + j."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "multiple-features").mkdir()
    for kind, width in WIDTHS.items():
        values = 1000.0 * np.arange(2000)[:, None] + np.arange(width)
        np.savetxt(folder / MULTIPLE_FEATURES[kind].path, values, fmt="%10.1f", delimiter=" ")
    return folder


def test_numerals_keep_their_rows_their_spaces_and_their_digits(published):
    pack = load_multiple_features(published)
    assert {kind: values.shape for kind, values in pack.features.items()} == {k: (2000, w) for k, w in WIDTHS.items()}
    np.testing.assert_array_equal(pack.features["zer"][1234], 1000.0 * 1234 + np.arange(47))
    np.testing.assert_array_equal(pack.categories["nine"], np.arange(1800, 2000))
    np.testing.assert_array_equal(pack.background, np.arange(1600, 1800))
    assert list(pack.categories) == ["zero", "one", "two", "three", "four", "five", "six", "seven", "nine"]
    assert pack.notices == ()


def test_it_is_in_the_catalogue_and_says_what_to_fetch(published, tmp_path):
    entry, _ = find("multiple-features")
    assert list(entry.offers) == ["features"]
    assert [file.path for file in needed_files("multiple-features", Options())] == [
        f"multiple-features/mfeat-{kind}" for kind in WIDTHS
    ]
    assert len(open_data("multiple-features", Options(), published).identities) == 2000
    with pytest.raises(DataMissingError, match="mfeat-fac is missing"):
        open_data("multiple-features", Options(), tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("1 2 3\n4 5 6\n", r"mfeat-mor has 2 × 3 numbers instead of 2,000 × 6; fetch multiple-features again"),
        ("", r"instead of 2,000 × 6"),
        ("<html>not found</html>\n", "is no table of numbers"),
        ("1 2 3 4 5 nan\n" * 2000, "NaN or infinity in 2000 rows of 'mor'"),
    ],
)
def test_another_layout_is_refused(published, tmp_path, content, says):
    (tmp_path / "multiple-features").mkdir()
    for file in MULTIPLE_FEATURES.values():
        (tmp_path / file.path).symlink_to(published / file.path)
    wrong = tmp_path / MULTIPLE_FEATURES["mor"].path
    wrong.unlink()
    wrong.write_text(content)
    with pytest.raises(DataError, match=says):
        load_multiple_features(tmp_path)
