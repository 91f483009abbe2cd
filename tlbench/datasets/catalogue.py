"""The data sets there are, by the name a user types, and the shapes that each offers."""

from __future__ import annotations

from .caltech256_features import SETTINGS
from .digits import load_digit_pictures, load_digits
from .domain_pairs import MNIST_USPS, OFFICE_CALTECH10, load_mnist_usps, load_office_caltech10, load_shifted_digits
from .entries import Entry, Offer
from .kernel_loaders import described_caltech, described_folder, features_of_caltech256, features_of_table
from .multiple_features import MULTIPLE_FEATURES, load_multiple_features
from .network_loaders import (
    pictures_of_caltech101,
    pictures_of_cifar,
    pictures_of_folder,
    pictures_of_imagenet,
    pictures_of_tiny_imagenet,
)
from .regression_sets import SARCOS, WINES, load_diabetes, load_sarcos, load_wine_quality
from .school import SCHOOL, load_school
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
        embedded=True,
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
        embedded=True,
    ),
    Entry(
        "shifted-digits",
        "the handwritten digits in three domains: plain, turned, worn; ten classes, comes with scikit-learn",
        "CC BY 4.0 (UCI 80)",
        {"features": Offer(lambda _, __: load_shifted_digits())},
        embedded=True,
    ),
    Entry(
        "mnist-usps",
        "2,000 digits of MNIST and 1,800 of USPS at 16 × 16: two domains, ten classes; needs tlbench[adaptation]",
        "none stated: fetched, never shipped",
        {"features": Offer(lambda place, _: load_mnist_usps(place.folder / MNIST_USPS.path))},
        {"all": (MNIST_USPS,)},
    ),
    Entry(
        "office-caltech10",
        "bags of 800 SURF words of ten classes in four domains: amazon, caltech, dslr, webcam",
        "none stated: fetched, never shipped",
        {"features": Offer(lambda place, _: load_office_caltech10(place.folder))},
        {"all": tuple(OFFICE_CALTECH10.values())},
    ),
    Entry(
        "diabetes",
        "442 patients, progression of their disease from nine numbers; a task for each sex, comes with scikit-learn",
        "none stated (Efron et al. 2004; scikit-learn ships it)",
        {"tables": Offer(lambda _, __: load_diabetes())},
        embedded=True,
    ),
    Entry(
        "wine-quality",
        "grades of red and of white wines from eleven measurements; no checksum is published: recorded at first use",
        "CC BY 4.0 (UCI 186)",
        {"tables": Offer(lambda place, _: load_wine_quality(place.folder))},
        {"all": tuple(WINES.values())},
    ),
    Entry(
        "sarcos",
        "torques of a robot arm's seven joints from 21 numbers, 44,484 moments; no checksum is published: recorded at "
        "first use",
        "none stated: fetched, never shipped",
        {"tables": Offer(lambda place, _: load_sarcos(place.folder / SARCOS.path))},
        {"all": (SARCOS,)},
    ),
    Entry(
        "school",
        "examination scores of 15,362 pupils, a task for each of 139 London schools; no checksum is published: "
        "recorded at first use",
        "none stated: fetched, never shipped",
        {"tables": Offer(lambda place, _: load_school(place.folder / SCHOOL.path))},
        {"all": (SCHOOL,)},
    ),
    Entry(
        "multiple-features",
        "2,000 handwritten numerals in six feature spaces: fac, fou, kar, mor, pix, zer; the digit 8 as background; no "
        "checksum is published: recorded at first use",
        "CC BY 4.0 (UCI 72)",
        {"features": Offer(lambda place, _: load_multiple_features(place.folder))},
        {"all": tuple(MULTIPLE_FEATURES.values())},
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
