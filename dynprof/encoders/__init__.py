"""Encoders: texts to unit vectors, each with a fingerprint of everything that changes a vector.

Importing this package is cheap; torch and sentence-transformers are imported when a model is loaded.
"""

from dynprof.encoders.encoder import Encoder
from dynprof.encoders.identity import EncoderIdentity
from dynprof.encoders.load import encoder_identity, load_encoder

__all__ = ["Encoder", "EncoderIdentity", "encoder_identity", "load_encoder"]
