from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.errors import ConfigError
from dynprof.world import TOPICS, World, WorldChunk, WorldSpec, generate
from dynprof.world.attention import HORIZON_US, Attention, Posts
from dynprof.world.chunks import EVENT_COLUMNS, TRUTH_ITEMS
from dynprof.world.interests import CHANGES
from dynprof.world.membership import is_among
from dynprof.world.timeline import CHUNK_EVENTS

SPECS = st.builds(
    WorldSpec,
    n_users=st.integers(1, 60),
    n_events=st.integers(0, 3_000),
    seed=st.integers(0, 2**40),
    days=st.integers(1, 90),
    languages=st.sampled_from([("en",), ("de", "ru"), ("en", "ru", "de", "es")]),
    bot_share=st.sampled_from([0.0, 0.1, 0.5]),
)


def unfold(spec: WorldSpec, chunks: list[WorldChunk] | None = None) -> pd.DataFrame:
    """Events with the number of their user, the time since the start, and their item's topic and origin."""
    chunks = list(generate(spec)) if chunks is None else chunks
    events = pa.concat_tables([EVENT_COLUMNS.empty_table(), *(c.events for c in chunks)]).to_pandas()
    truth = pa.concat_tables([TRUTH_ITEMS.empty_table(), *(c.truth_items for c in chunks)]).to_pandas()
    events = events.merge(truth, on="item_id", how="left", validate="many_to_one")
    events["user"] = events.user_id.str[1:].astype(int)
    events["at_us"] = events.timestamp.astype("int64") - spec.start_us
    return events


@pytest.fixture(scope="module")
def world() -> World:
    return World(WorldSpec(n_users=2_000, n_events=300_000, seed=11, days=200))


@pytest.fixture(scope="module")
def chunks(world: World) -> list[WorldChunk]:
    return list(world.chunks())


@pytest.fixture(scope="module")
def events(world: World, chunks: list[WorldChunk]) -> pd.DataFrame:
    return unfold(world.spec, chunks)


@settings(max_examples=25)
@given(SPECS)
def test_exactly_as_many_events_as_asked_come_out_in_order_within_the_span(spec: WorldSpec) -> None:
    events = unfold(spec)
    assert len(events) == spec.n_events
    assert events.event_id.is_unique
    assert events.event_id.is_monotonic_increasing
    assert events.at_us.is_monotonic_increasing
    assert events.at_us.between(0, spec.span_us - 1).all()
    assert events.user.between(0, spec.n_users - 1).all()


@settings(max_examples=25)
@given(SPECS)
def test_reposts_and_likes_are_of_older_items_of_others_and_never_twice(spec: WorldSpec) -> None:
    check_references(unfold(spec))


def test_reposts_and_likes_keep_their_rules_across_chunks(events: pd.DataFrame) -> None:
    check_references(events)


def check_references(events: pd.DataFrame) -> None:
    others = events[events.event_type.isin(["retweet", "like"])]
    seen = others.merge(events, left_on="item_id", right_on="event_id", suffixes=("", "_item"), validate="many_to_one")
    assert len(seen) == len(others)
    assert (seen.at_us > seen.at_us_item).all()
    assert (seen.at_us - seen.at_us_item <= HORIZON_US).all()
    assert (seen.user_id != seen.user_id_item).all()
    assert (seen.language == seen.language_item).all()
    assert not others.duplicated(["user_id", "item_id"]).any()


@settings(max_examples=25)
@given(SPECS)
def test_every_event_is_on_an_interest_of_its_user_or_on_the_sudden_event_of_the_day(spec: WorldSpec) -> None:
    check_topics(World(spec), unfold(spec))


def test_topics_keep_to_interests_across_chunks(world: World, events: pd.DataFrame) -> None:
    check_topics(world, events)


def check_topics(world: World, events: pd.DataFrame) -> None:
    topic = events.topic.map(TOPICS.index).to_numpy(int)
    phase = world.interests.phase_at(events.user.to_numpy(), events.at_us.to_numpy())
    cared = ((world.interests.topics[phase] == topic[:, None]) & (world.interests.shares[phase] > 0)).any(axis=1)
    number = world.sudden.number_at(events.at_us.to_numpy())
    talked_about = (number >= 0) & (world.sudden.topic[number] == topic)
    assert (cared | talked_about).all()
    own = events.event_type.isin(["post", "reply", "quote"]).to_numpy()
    sudden = events.sudden.to_numpy(bool)
    assert (cared | sudden)[own].all()
    assert talked_about[sudden & own].all()


@settings(max_examples=10)
@given(SPECS)
def test_the_phases_of_every_user_fill_the_span_and_their_shares_are_whole(spec: WorldSpec) -> None:
    interests = World(spec).interests
    assert (interests.start_us[interests.first] == 0).all()
    assert (interests.until_us > interests.start_us).all()
    ends = np.append(interests.first[1:], len(interests.user)) - 1
    assert (interests.until_us[ends] == spec.span_us).all()
    inner = np.setdiff1d(np.arange(len(interests.user)), ends)
    assert (interests.until_us[inner] == interests.start_us[inner + 1]).all()
    np.testing.assert_allclose(interests.shares.sum(axis=1), 1.0, atol=1e-6)


def test_the_same_spec_gives_the_same_world_and_another_seed_another() -> None:
    def events(seed: int) -> pa.Table:
        return pa.concat_tables(c.events for c in generate(WorldSpec(30, 2_000, seed)))

    assert events(5).equals(events(5))
    assert not events(5).equals(events(6))


def test_users_and_their_interests_do_not_depend_on_the_number_of_events() -> None:
    few, many = World(WorldSpec(500, 10)), World(WorldSpec(500, 10_000))
    assert (few.people.rate == many.people.rate).all()
    assert (few.interests.topics == many.interests.topics).all()
    assert (few.sudden.start_us == many.sudden.start_us).all()


def test_a_long_world_comes_in_bounded_chunks(world: World, chunks: list[WorldChunk]) -> None:
    lengths = [len(chunk.events) for chunk in chunks]
    assert sum(lengths) == world.spec.n_events
    assert len(lengths) == 3
    assert max(lengths) < 1.3 * CHUNK_EVENTS


def test_an_hour_with_millions_of_events_is_divided() -> None:
    dense = next(generate(WorldSpec(n_users=10, n_events=20_000_000, days=1)))
    assert len(dense.events) < 1.3 * CHUNK_EVENTS


def test_a_user_who_changes_abruptly_has_other_topics_from_that_moment_on(world: World, events: pd.DataFrame) -> None:
    abrupt = np.flatnonzero(world.interests.change == CHANGES.index("abrupt"))
    changed_at = pd.Series(world.interests.start_us[world.interests.first[abrupt] + 1], index=abrupt)
    mine = events[events.user.isin(abrupt) & ~events.sudden]
    before = mine.at_us < mine.user.map(changed_at)
    sides = mine.groupby(["user", "topic"]).at_us.agg(["min", "max"]).join(changed_at.rename("change"), on="user")
    # A like of an item that a sudden event brought up is the only way to a topic of the other side.
    on_one_side = (sides["max"] < sides.change) | (sides["min"] >= sides.change)
    assert before.mean() == pytest.approx(0.5, abs=0.2)
    assert on_one_side.mean() > 0.97


def test_events_divide_over_topics_as_the_interests_say(world: World, events: pd.DataFrame) -> None:
    calm = events[world.sudden.number_at(events.at_us.to_numpy()) < 0]
    phase = world.interests.phase_at(calm.user.to_numpy(), calm.at_us.to_numpy())
    expected = np.zeros(len(TOPICS))
    np.add.at(expected, world.interests.topics[phase], world.interests.shares[phase])
    found = calm.topic.value_counts().reindex(TOPICS).to_numpy()
    np.testing.assert_allclose(found / len(calm), expected / len(calm), atol=0.003)


def test_a_sudden_event_takes_its_share_of_what_humans_do(world: World, events: pd.DataFrame) -> None:
    human = events[~world.people.is_bot[events.user]]
    number = world.sudden.number_at(human.at_us.to_numpy())
    for i, share in enumerate(world.sudden.share):
        on_topic = human.topic[number == i] == TOPICS[world.sudden.topic[i]]
        assert share - 0.05 < on_topic.mean() < share + 0.25
    a_day = world.spec.span_us / world.spec.days
    rates = [(number == i).sum() / (world.sudden.until_us[i] - world.sudden.start_us[i]) * a_day for i in range(-1, 4)]
    assert min(rates[1:]) > 1.05 * (number == -1).sum() / world.spec.days


def test_bots_repeat_few_texts_at_all_hours_and_humans_sleep(world: World, events: pd.DataFrame) -> None:
    is_bot = world.people.is_bot[events.user]
    bots, humans = events[is_bot], events[~is_bot]
    assert set(bots.event_type) == {"post"}
    assert bots.groupby("user").text.nunique().max() <= 8
    local = (humans.timestamp.dt.hour + world.people.zone[humans.user]) % 24
    by_hour = local.value_counts(normalize=True).sort_index()
    assert by_hour.idxmax() in (18, 19, 20)
    assert by_hour.max() > 2.5 * by_hour.min()
    assert bots.timestamp.dt.hour.value_counts(normalize=True).between(0.03, 0.055).all()
    median = {kind: np.median(world.people.rate[world.people.is_bot == kind]) for kind in (False, True)}
    assert median[True] > 5 * median[False]


def test_recent_and_popular_items_are_picked_more_often(events: pd.DataFrame) -> None:
    others = events[events.event_type.isin(["retweet", "like"])]
    ages = others.at_us - others.item_id.map(events.set_index("event_id").at_us)
    assert np.median(ages) < 8 * 3_600e6
    picks = others.item_id.value_counts()
    posts = events.event_type.isin(["post", "quote"]).sum()
    assert picks.iloc[: posts // 100].sum() > 0.05 * len(others)


@given(st.lists(st.integers(-5, 30)), st.sets(st.integers(-5, 30)))
def test_membership_by_bisection_is_membership(numbers: list[int], members: set[int]) -> None:
    found = is_among(np.array(numbers, int), np.array(sorted(members), int))
    assert found.tolist() == [number in members for number in numbers]


def test_a_shelf_gives_each_user_each_item_once_then_nothing() -> None:
    n = np.arange(4)
    attention = Attention(n_users=10, span_us=10**9)
    attention.add(Posts(n, np.zeros(4, int), n * 10, np.array([7, 8, 8, 8]), np.ones(4)))
    rng = np.random.default_rng(0)
    found = [attention.pick(np.array([7]), np.array([0]), np.array([25]), rng)[0][0] for _ in range(6)]
    assert sorted(found) == [-1, -1, -1, -1, 1, 2]  # not its own item 0, and item 3 appears later
    assert attention.pick(np.array([7]), np.array([1]), np.array([25]), rng)[0][0] == -1


def test_language_follows_the_user(world: World, events: pd.DataFrame) -> None:
    names = np.array(world.spec.languages)
    first, second = (names[a[events.user]] for a in (world.people.language, world.people.second_language))
    assert ((events.language == first) | (events.language == second)).all()


def test_texts_stand_where_the_formats_page_says(events: pd.DataFrame) -> None:
    own = events.event_type.isin(["post", "reply", "quote"])
    assert events.text[own].notna().all()
    assert (events.item_id == events.event_id)[own].all()
    assert events.text[events.event_type == "like"].isna().all()
    texts = events.set_index("event_id").text
    copies = events[(events.event_type == "retweet") & events.text.notna()]
    stripped = copies.text.str.replace(r"^RT @u\d{8}: ", "", regex=True)
    assert (stripped.to_numpy() == texts[copies.item_id].to_numpy()).all()
    assert 0 < (stripped != copies.text).mean() < 0.5


def test_items_are_handed_out_once_and_hold_every_item_referred_to(
    chunks: list[WorldChunk], events: pd.DataFrame
) -> None:
    items = pa.concat_tables(c.items for c in chunks)
    referred = events.item_id[events.event_type.isin(["retweet", "like"])].unique()
    assert pc.count_distinct(items["item_id"]).as_py() == len(items)
    assert set(items["item_id"].to_pylist()) == set(referred)
    written = events.set_index("event_id").loc[items["item_id"].to_pylist()]
    assert written.text.tolist() == items["text"].to_pylist()
    assert written.user_id.tolist() == items["author_id"].to_pylist()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"n_users": 0}, "n_users: expected a whole number from 1 to .* found 0"),
        ({"n_events": -1}, "n_events.*found -1"),
        ({"n_events": 1.5}, "n_events.*found 1.5"),
        ({"n_users": True}, "n_users.*found True"),
        ({"seed": -3}, "seed.*found -3"),
        ({"days": 0}, "days.*found 0"),
        ({"bot_share": float("nan")}, "bot_share.*found nan"),
        ({"languages": ("en", "xx")}, "languages.*en, ru, de, es.*xx"),
        ({"languages": ()}, "languages"),
        ({"start": datetime(1969, 1, 1, tzinfo=UTC)}, "start.*1970.*1969"),
    ],
)
def test_a_spec_that_means_nothing_is_refused(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        WorldSpec(**{"n_users": 10, "n_events": 10, **wrong})  # type: ignore[arg-type]


def test_a_zoneless_start_is_utc() -> None:
    assert WorldSpec(1, 0, start=datetime(2024, 5, 1)).start == datetime(2024, 5, 1, tzinfo=UTC)
