"""Data sets: where they come from, what they hold, and which picture is drawn for what."""

from .caltech_pictures import ensure_tree, find_tree
from .catalogue import CATALOGUE, Entry, Options, find, needed_files, open_data, public_name, short_name, to_fetch
from .errors import DataError, DataMissingError
from .feature_pack import FeaturePack, build
from .fetching import adopt, fetch
from .pack_file import load_pack, save_pack
from .picture_folder import PictureSet
from .remote_files import RemoteFile, data_folder, state
from .splits import Amounts, TaskRows, draw_task, generator

__all__ = [
    "CATALOGUE",
    "Amounts",
    "DataError",
    "DataMissingError",
    "Entry",
    "FeaturePack",
    "Options",
    "PictureSet",
    "RemoteFile",
    "TaskRows",
    "adopt",
    "build",
    "data_folder",
    "draw_task",
    "ensure_tree",
    "fetch",
    "find",
    "find_tree",
    "generator",
    "load_pack",
    "needed_files",
    "open_data",
    "public_name",
    "save_pack",
    "short_name",
    "state",
    "to_fetch",
]
