"""What can be wrong with data, told apart by whose move it is."""

from __future__ import annotations


class DataError(Exception):
    """The data given cannot be used as they are; the message says what to change."""


class DataMissingError(Exception):
    """Data that are needed are not there and could not be had; the message says how to get them."""
