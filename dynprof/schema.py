"""The Arrow schemas of every table on disk. `docs/formats.md` explains them; a test compares the two."""

from __future__ import annotations

import pyarrow as pa

__all__ = [
    "BIOS",
    "CATALOGUE",
    "EVENTS",
    "ITEMS",
    "QUARANTINE",
    "RAW_EVENTS",
    "RAW_ITEMS",
    "RAW_USERS",
    "REVISED",
    "TIMESTAMP",
    "activity_schema",
    "changes_schema",
    "embeddings_schema",
    "profiles_schema",
    "states_schema",
    "vector_type",
]

TIMESTAMP = pa.timestamp("us", tz="UTC")
TEXT_HASH = pa.binary(16)


def vector_type(dim: int) -> pa.DataType:
    """The type of a stored vector: fp16, fixed size, no nulls inside."""
    return pa.list_(pa.field("element", pa.float16(), nullable=False), dim)


# What the readers hand on: a source's rows under our names, checked and typed.
RAW_EVENTS = pa.schema(
    {
        "event_id": pa.string(),
        "user_id": pa.string(),
        "timestamp": TIMESTAMP,
        "event_type": pa.string(),
        "item_id": pa.string(),
        "text": pa.string(),
        "weight": pa.float32(),
        "language": pa.string(),
    }
)
RAW_USERS = pa.schema({"user_id": pa.string(), "bio": pa.string()})
RAW_ITEMS = pa.schema(
    {
        "item_id": pa.string(),
        "text": pa.string(),
        "created_at": TIMESTAMP,
        "author_id": pa.string(),
        "language": pa.string(),
    }
)

# corpus/
EVENTS = pa.schema(
    {
        "event_id": pa.string(),
        "user_id": pa.string(),
        "timestamp": TIMESTAMP,
        "event_type": pa.string(),
        "item_id": pa.string(),
        "text": pa.string(),
        "text_hash": TEXT_HASH,
        "weight": pa.float32(),
        "language": pa.string(),
    }
)
BIOS = pa.schema({"user_id": pa.string(), "bio": pa.string(), "text_hash": TEXT_HASH})
ITEMS = pa.schema(
    {
        "item_id": pa.string(),
        "text": pa.string(),
        "text_hash": TEXT_HASH,
        "text_source": pa.string(),
        "text_at": TIMESTAMP,
        "language": pa.string(),
        "author_id": pa.string(),
        "created_at": TIMESTAMP,
        "n_events": pa.int64(),
    }
)
CATALOGUE = pa.schema([ITEMS.field(n) for n in ("item_id", "text", "language", "author_id", "created_at")])
REVISED = EVENTS.append(pa.field("old_text_hash", TEXT_HASH))
QUARANTINE = pa.schema(
    {"source": pa.string(), "row": pa.int64(), "reason": pa.string(), "detail": pa.string(), "raw": pa.string()}
)


def embeddings_schema(dim: int) -> pa.Schema:
    """embeddings/<fingerprint>/shard-*.arrow"""
    return pa.schema({"text_hash": TEXT_HASH, "vector": vector_type(dim)})


def profiles_schema(dim: int) -> pa.Schema:
    """profiles/<snapshot>/profiles/bucket-*.parquet"""
    return pa.schema(
        [
            pa.field("user_id", pa.string(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),
            pa.field("half_life_s", pa.float64()),
            pa.field("profile", vector_type(dim), nullable=False),
            pa.field("mass", pa.float64(), nullable=False),
            pa.field("n_effective", pa.float64(), nullable=False),
            pa.field("n_events", pa.int64(), nullable=False),
            pa.field("last_event_at", TIMESTAMP),
        ]
    )


def states_schema(dim: int) -> pa.Schema:
    """profiles/<snapshot>/states/bucket-*.arrow"""
    return pa.schema(
        {
            "user_id": pa.string(),
            "n_events": pa.int64(),
            "first_event_at": pa.int64(),
            "last_event_at": pa.int64(),
            "prior": vector_type(dim),
            "event_at": pa.list_(pa.int64()),
            "event_weight": pa.list_(pa.float32()),
            "event_vector": pa.list_(vector_type(dim)),
            "sums": pa.list_(pa.float32()),
            "masses": pa.list_(pa.float64()),
            "square_masses": pa.list_(pa.float64()),
        }
    )


def changes_schema(dim: int) -> pa.Schema:
    """profiles/<snapshot>/changes.arrow, a record batch a user bucket"""
    flags = [pa.field(name, pa.bool_()) for name in ("is_new", "replaces", "bio_known")]
    return pa.schema([*states_schema(dim), *flags])


def activity_schema(n_features: int) -> pa.Schema:
    """profiles/<snapshot>/activity/bucket-*.parquet"""
    return pa.schema({"user_id": pa.string(), "activity": pa.list_(pa.float32(), n_features)})
