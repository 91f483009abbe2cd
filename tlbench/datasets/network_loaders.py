"""How each picture collection is opened for networks: its tree found or unpacked, its pictures listed and decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .cifar_binary import load_cifar
from .class_folders import ListedPictures, list_class_folders
from .decoded_folder import USUAL_SIDE, decode_listed
from .entries import Options, Place
from .imagenet import load_imagenet
from .labelled_pictures import LabelledPictures
from .tiny_imagenet import SIDE as TINY_SIDE
from .tiny_imagenet import list_tiny_imagenet
from .trees import ensure_tree


def pictures_of_folder(place: Place, options: Options) -> LabelledPictures:
    """The user's own folder; what is named as the background is no class."""
    leave_out = (options.background,) if options.background else ()
    listed = list_class_folders(place.own, options.categories, leave_out)
    return decode_listed(
        listed, options.side, place.decoded, place.jobs, skip_broken=place.skip_broken, decoding=place.decoding
    )


def pictures_of_caltech101(place: Place, options: Options) -> LabelledPictures:
    """Its tree, without the background, at 32 × 32 unless another side is chosen."""
    tree = ensure_tree("caltech101", place.folder, place.progress)
    listed = list_class_folders(tree.folder, options.categories)
    return _with_notices(tree.notices, _decode_published(listed, options.side, USUAL_SIDE, place))


def pictures_of_tiny_imagenet(place: Place, options: Options) -> LabelledPictures:
    """Its tree in either layout, at 32 × 32 unless another side is chosen."""
    tree = ensure_tree("tiny-imagenet", place.folder, place.progress)
    listed = list_tiny_imagenet(tree.folder, options.categories)
    return _with_notices(tree.notices, _decode_published(listed, options.side, TINY_SIDE, place))


def pictures_of_cifar(which: str) -> Callable[[Place, Options], LabelledPictures]:
    """How cifar10 or cifar100 is opened."""

    def load(place: Place, _: Options) -> LabelledPictures:
        tree = ensure_tree(which, place.folder, place.progress)
        return _with_notices(tree.notices, load_cifar(which, tree.folder))

    return load


def _decode_published(listed: ListedPictures, side: int | None, usual: int, place: Place) -> LabelledPictures:
    return decode_listed(
        listed,
        usual if side is None else side,
        place.decoded,
        place.jobs,
        skip_broken=place.skip_broken,
        published=True,
        decoding=place.decoding,
    )


def _with_notices(notices: tuple[str, ...], pictures: LabelledPictures) -> LabelledPictures:
    return replace(pictures, notices=(*notices, *pictures.notices))


def pictures_of_imagenet(place: Place, options: Options) -> LabelledPictures:
    """The user's folder, its pictures decoded when they are taken."""
    return load_imagenet(place.folder / "imagenet", options.side, options.categories)
