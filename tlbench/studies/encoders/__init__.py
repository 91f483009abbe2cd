"""Encoders and decoders: a code shared by two feature spaces, and an inherited encoder under a new decoder."""

STUDIES = ("encoder_decoder", "new_decoder")
