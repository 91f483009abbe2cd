"""Data sets: where they come from, what they hold, and which picture is drawn for what."""

from .access import (
    absolute,
    all_files,
    embedded_for,
    find,
    needed_files,
    open_data,
    open_pictures,
    open_tables,
    public_name,
    require_shape,
    short_name,
    to_fetch,
)
from .catalogue import CATALOGUE
from .class_kinds import declared_kinds, read_class_list
from .class_splits import SplitKind, draw_class_split, draw_pictures, most_classes_per_half
from .disk_use import Taken, free, taken
from .entries import Entry, Offer, Options, Shape
from .errors import DataError, DataMissingError
from .feature_pack import FeaturePack, build
from .fetching import adopt, fetch
from .handing_over import Data, load_data, save_data
from .labelled_pictures import LabelledPictures, restrict_classes
from .outlines import outline
from .picture_folder import PictureSet
from .pictures_file import load_pictures, save_pictures
from .pixels import ArrayPixels, FilePixels
from .regression_tables import RegressionTables
from .remote_files import RemoteFile, data_folder, state
from .setting_packs import KernelData, SettingPacks, target_of
from .splits import Amounts, Overlap, TaskRows, draw_task, generator
from .trees import ensure_tree, find_tree
from .weights import weights_file

__all__ = [
    "CATALOGUE",
    "Amounts",
    "ArrayPixels",
    "Data",
    "DataError",
    "DataMissingError",
    "Entry",
    "FeaturePack",
    "FilePixels",
    "KernelData",
    "LabelledPictures",
    "Offer",
    "Options",
    "Overlap",
    "PictureSet",
    "RegressionTables",
    "RemoteFile",
    "SettingPacks",
    "Shape",
    "SplitKind",
    "Taken",
    "TaskRows",
    "absolute",
    "adopt",
    "all_files",
    "build",
    "data_folder",
    "declared_kinds",
    "draw_class_split",
    "draw_pictures",
    "draw_task",
    "embedded_for",
    "ensure_tree",
    "fetch",
    "find",
    "find_tree",
    "free",
    "generator",
    "load_data",
    "load_pictures",
    "most_classes_per_half",
    "needed_files",
    "open_data",
    "open_pictures",
    "open_tables",
    "outline",
    "public_name",
    "read_class_list",
    "require_shape",
    "restrict_classes",
    "save_data",
    "save_pictures",
    "short_name",
    "state",
    "taken",
    "target_of",
    "to_fetch",
    "weights_file",
]
