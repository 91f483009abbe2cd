"""The data sets there are, by the name a user types, and the shapes that each offers."""

from __future__ import annotations

from .caltech256_features import SETTINGS
from .digits import load_digit_pictures, load_digits
from .entries import Entry, Offer
from .kernel_loaders import described_caltech, described_folder, features_of_caltech256, features_of_table
from .network_loaders import (
    pictures_of_caltech101,
    pictures_of_cifar,
    pictures_of_folder,
    pictures_of_imagenet,
    pictures_of_tiny_imagenet,
)
from .task_draws import load_task_draws

CATALOGUE = (
    Entry(
        "digits",
        "handwritten digits, ten classes, or nine categories and the digit 8 as background; comes with scikit-learn",
        "CC BY 4.0 (UCI 80)",
        {
            "features": Offer(lambda _, __: load_digits()),
            "pictures": Offer(lambda _, __: load_digit_pictures(), ("categories", "class_list")),
        },
    ),
    Entry(
        "caltech256-features",
        "four features of Caltech-256, 80 + 80 pictures a category; settings mixed, related, unrelated",
        "none stated: fetched, never shipped",
        {"features": Offer(features_of_caltech256, ("setting",))},
        SETTINGS,
    ),
    Entry(
        "caltech256",
        "the pictures of Caltech-256; settings mixed, related, unrelated, or any categories",
        "CC BY 4.0 (as others list it; see CaltechDATA)",
        {"features": Offer(described_caltech("caltech256"), ("setting", "categories", "features"))},
        collection="caltech256",
    ),
    Entry(
        "caltech101",
        "the pictures of Caltech-101; settings mixed, related, unrelated, or any categories",
        "see CaltechDATA",
        {
            "features": Offer(described_caltech("caltech101"), ("setting", "categories", "features")),
            "pictures": Offer(pictures_of_caltech101, ("categories", "side", "class_list")),
        },
        collection="caltech101",
    ),
    Entry(
        "cifar10",
        "60,000 colour pictures of 32 × 32 in ten classes, for networks",
        "none stated: fetched, never shipped",
        {"pictures": Offer(pictures_of_cifar("cifar10"), ("categories", "class_list"))},
        collection="cifar10",
    ),
    Entry(
        "cifar100",
        "60,000 colour pictures of 32 × 32 in a hundred classes, for networks",
        "none stated: fetched, never shipped",
        {"pictures": Offer(pictures_of_cifar("cifar100"), ("categories", "class_list"))},
        collection="cifar100",
    ),
    Entry(
        "tiny-imagenet",
        "200 classes of ImageNet, 550 pictures each, at 32 × 32 or another side, for networks; the archive's checksum "
        "is not known: recorded at first use",
        "none stated (ImageNet: non-commercial research and education): fetched, never shipped",
        {"pictures": Offer(pictures_of_tiny_imagenet, ("categories", "side", "class_list"))},
        collection="tiny-imagenet",
    ),
    Entry(
        "imagenet",
        "ImageNet (ILSVRC 2012) from a folder that you have, at imagenet/ in the data folder, for networks",
        "non-commercial research and education: never fetched",
        {"pictures": Offer(pictures_of_imagenet, ("categories", "side", "class_list"))},
    ),
    Entry(
        "tasks",
        "tasks of known relatedness, drawn anew for each unit by the experiment itself: no file, no example",
        "made up: nothing to license",
        {"features": Offer(lambda _, __: load_task_draws())},
    ),
    Entry(
        "folder:PATH",
        "your own pictures: a folder with a folder of pictures for each category, and one for the background; for "
        "networks in train/ and test/, or without such parts",
        "yours",
        {
            "features": Offer(described_folder, ("background", "categories", "features")),
            "pictures": Offer(pictures_of_folder, ("background", "categories", "side", "class_list")),
        },
    ),
    Entry(
        "features:PATH",
        "your own features: a .npz, .csv or .parquet file with identity, label and numbers",
        "yours",
        {"features": Offer(features_of_table, ("background", "categories"))},
    ),
)
