"""Data sets: where they come from, what they hold, and which picture is drawn for what."""

from .catalogue import CATALOGUE, Entry, Options, find, needed_files, open_pack, public_name, short_name
from .errors import DataError, DataMissingError
from .feature_pack import FeaturePack, build
from .fetching import adopt, fetch
from .pack_file import load_pack, save_pack
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
    "RemoteFile",
    "TaskRows",
    "adopt",
    "build",
    "data_folder",
    "draw_task",
    "fetch",
    "find",
    "generator",
    "load_pack",
    "needed_files",
    "open_pack",
    "public_name",
    "save_pack",
    "short_name",
    "state",
]
