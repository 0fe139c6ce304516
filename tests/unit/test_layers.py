"""A snapshot with layers reads as the states of all events at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.bank import DEFAULT_BANK
from dynprof.decay import Decay
from dynprof.layers import LayeredRows
from dynprof.schema import changes_schema
from dynprof.state import ProfileStates
from dynprof.state_io import priors_from_table, states_from_table, states_to_batch
from dynprof.state_rows import StateRows

DIM, N_USERS = 3, 6
AS_OF_US = 400 * 86_400_000_000
POPULATION = np.array([0.5, 0.0, 0.0], np.float32)
NAMES = [f"u{i}" for i in range(N_USERS)]


@dataclass
class Piece:
    """Events and bios of one layer: (user, day, vector number); user to bio or None; users whose past is wrong."""

    events: list[tuple[int, int, int]]
    bios: dict[int, int | None]
    replaced: set[int]


few = st.lists(st.tuples(st.integers(0, N_USERS - 1), st.integers(0, 399), st.integers(0, 9)), max_size=12)
many = few.flatmap(lambda rows: st.integers(0, 25).map(lambda n: rows + [(0, day, day % 10) for day in range(n)]))
piece = st.builds(
    Piece,
    many,
    st.dictionaries(st.integers(0, N_USERS - 1), st.one_of(st.none(), st.integers(0, 9)), max_size=2),
    st.sets(st.integers(0, N_USERS - 1), max_size=1),
)


def vector(number: int) -> np.ndarray:
    row = np.random.default_rng(number).standard_normal(DIM)
    return (row / np.linalg.norm(row)).astype(np.float16)


def batch_of(events: list[tuple[int, int, int]], bios: dict[int, int | None], who: list[int]) -> pa.RecordBatch:
    """Rows of the users `who`."""
    mine = [(who.index(u), day, v) for u, day, v in events]
    users, days, vectors = (list(column) for column in zip(*mine, strict=True)) if mine else ([], [], [])
    matrix = np.array([vector(v) for v in vectors], np.float16).reshape(-1, DIM)
    at_us = np.array(days, np.int64) * 86_400_000_000
    states = ProfileStates.from_events(users, at_us, np.ones(len(mine)), matrix, len(who), bank=DEFAULT_BANK)
    priors, has = np.zeros((len(who), DIM), np.float16), np.zeros(len(who), np.bool_)
    for i, user in enumerate(who):
        if (bio := bios.get(user)) is not None:
            priors[i], has[i] = vector(bio), True
    return states_to_batch(states, [NAMES[u] for u in who], priors, has)


def layered(pieces: list[Piece]) -> tuple[LayeredRows, list[tuple[int, int, int]], dict[int, int | None]]:
    """The rows, and all events and bios that count in the end."""
    base, known = pieces[0], sorted({u for u, _, _ in pieces[0].events} | set(pieces[0].bios))
    cut = len(known) // 2
    halves = [known[:cut], known[cut:]]
    rows = StateRows([batch_of([e for e in base.events if e[0] in half], base.bios, half) for half in halves])
    events, bios, layers = list(base.events), dict(base.bios), []
    for part in pieces[1:]:
        replaced = part.replaced & set(known)
        who = sorted({u for u, _, _ in part.events} | set(part.bios) | replaced)
        batch = batch_of(part.events, part.bios, who)
        flags = [[u not in known for u in who], [u in replaced for u in who], [u in part.bios for u in who]]
        columns = [*batch.columns, *(pa.array(flag, pa.bool_()) for flag in flags)]
        layers.append(pa.RecordBatch.from_arrays(columns, schema=changes_schema(DIM)))
        events = [e for e in events if e[0] not in replaced] + part.events
        bios |= part.bios
        known = sorted({*known, *who})
    return LayeredRows(rows, layers, DEFAULT_BANK, DIM), events, bios


def read(batch: pa.RecordBatch, decay: Decay) -> tuple[np.ndarray, np.ndarray]:
    states = states_from_table(batch, DEFAULT_BANK, DIM)
    got = states.profile(decay, AS_OF_US, prior=priors_from_table(batch, POPULATION), prior_weight=0.1)
    return got.vectors, got.mass


@settings(max_examples=120)
@given(
    st.lists(piece, min_size=1, max_size=4), st.sampled_from([Decay("exponential", "30d"), Decay("gaussian", "90d")])
)
def test_layers_read_as_one_state_of_all_events(pieces: list[Piece], decay: Decay) -> None:
    rows, events, bios = layered(pieces)
    known = sorted({u for p in pieces for u in [*p.bios, *(e[0] for e in p.events)]})
    assert sorted(u for u in range(N_USERS) if rows.find(NAMES[u]) is not None) == known
    assert len(rows) == len(known)
    whole = batch_of(events, bios, known)
    vectors, mass = read(whole, decay)
    bulk = {}
    for part in rows.read():
        merged = dict(zip(part.changed.tolist(), range(len(part.changed)), strict=True))
        for i, name in enumerate(part.rows["user_id"].to_pylist()):
            source, at = (part.merged, merged[i]) if i in merged else (part.rows, i)
            assert source is not None
            bulk[name] = source.slice(at, 1)
    assert list(bulk) == [rows.slice(n)["user_id"][0].as_py() for n in range(len(rows))]
    told = [batch["n_events"].to_pylist() for batch in rows.columns(["user_id", "n_events"])]
    assert [n for part in told for n in part] == [one["n_events"][0].as_py() for one in bulk.values()]
    for i, user in enumerate(known):
        number = rows.find(NAMES[user])
        assert number is not None
        one = rows.slice(number)
        assert one["n_events"].to_pylist() == whole.slice(i, 1)["n_events"].to_pylist()
        assert one["last_event_at"].to_pylist() == whole.slice(i, 1)["last_event_at"].to_pylist()
        assert one["prior"].to_pylist() == whole.slice(i, 1)["prior"].to_pylist()
        for stored in (one, bulk[NAMES[user]]):
            got, weight = read(stored, decay)
            np.testing.assert_allclose(got[0], vectors[i], atol=2e-4)  # the pull to norm 1 depends on the batch
            np.testing.assert_allclose(weight[0], mass[i], rtol=1e-6, atol=1e-9)


def test_a_light_user_keeps_the_same_numbers_whatever_the_split() -> None:
    events = [(1, day, day) for day in range(9)]
    rows, _, _ = layered([Piece(events[:4], {}, set()), Piece(events[4:7], {}, set()), Piece(events[7:], {}, set())])
    assert rows.slice(0).equals(batch_of(events, {}, [1]))
