"""A trained ranker under test: only where it was made for what it is shown, and told from one trained again."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from ranker_world import make_following_world
from serving_world import DAY_US, START_US, event, make_world

from dynprof.errors import ConfigError, WorkspaceError
from dynprof.keys import text_hashes
from dynprof.ranker import model as model_files
from dynprof.ranker.contestant import Ranker, TrainedRanker
from dynprof.ranker.model import RankerMeaning, save_model
from dynprof.ranker.network import make_network
from dynprof.ranker.reading import read_log, read_tags
from dynprof.ranker.traces import NO_TAG
from dynprof.store import SnapshotStore
from dynprof.text import prepare_texts
from dynprof.workspace import Workspace
from jobs.contestants import enter_ranker
from jobs.evaluate import main
from unit.ranker_data import BANK


def save(workspace: Workspace, meaning: RankerMeaning, until_us: int = 0) -> None:
    """A model that learned nothing."""
    network = make_network(len(model_files.feature_names(meaning.bank)), hidden=8, seed=3)
    weights = {k: v.numpy() for k, v in network.state_dict().items()}
    save_model(workspace, "m", meaning, weights, {"curve": [], "until_us": until_us})


def test_a_model_enters_only_where_it_was_made_for_what_it_is_shown(tmp_path: Path) -> None:
    world = make_following_world(tmp_path, n_items=20)
    store = SnapshotStore(world.workspace)
    log, _ = read_log(world.workspace, store.corpus, world.spec.type_weights)
    fingerprint, weights = world.spec.fingerprint, dict(world.spec.type_weights)
    save(world.workspace, RankerMeaning(fingerprint, BANK, weights))
    assert isinstance(TrainedRanker(world.workspace, "m", fingerprint, weights)(log, {}), Ranker)
    with pytest.raises(ConfigError, match="another encoder"):
        TrainedRanker(world.workspace, "m", "another", weights)(log, {})
    with pytest.raises(ConfigError, match="other weights of event types"):
        TrainedRanker(world.workspace, "m", fingerprint, {**weights, "retweet": 0.5})(log, {})
    save(world.workspace, RankerMeaning(fingerprint, BANK, weights), until_us=int(log.event_us.max()) + 2)
    with pytest.raises(ConfigError, match="has seen what it is tested on"):
        TrainedRanker(world.workspace, "m", fingerprint, weights)(log, {})


def test_a_model_that_was_trained_again_is_another_contestant(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(WorkspaceError, match=r"jobs\.train"):
        enter_ranker(workspace, "m", "f0", {})
    save(workspace, RankerMeaning("f0", BANK, {}))
    before = enter_ranker(workspace, "m", "f0", {})
    assert before == enter_ranker(workspace, "m", "f0", {})
    assert before["ranker"].settings["model"] == "m"
    save(workspace, RankerMeaning("f0", BANK, {}))
    assert enter_ranker(workspace, "m", "f0", {})["ranker"].settings != before["ranker"].settings


def test_a_text_is_tagged_by_its_earliest_item_even_where_a_later_one_says_more(tmp_path: Path) -> None:
    said = [
        ("ann", "goal", 1, None),
        ("bob", "goal", 2, "en"),
        ("cid", "oven", 3, "de"),
        ("bob", "salt", 4, "en"),
        ("ann", "flour", 5, None),
    ]
    rows = [
        {**event(author, f"e{day}", text, START_US + day * DAY_US), "language": language}
        for author, text, day, language in said
    ]
    store = SnapshotStore(make_world(tmp_path, rows).workspace)
    _, names = read_log(store.workspace, store.corpus, {})
    tags = read_tags(store.workspace, store.corpus, names)
    hashes = text_hashes(prepare_texts(pa.array(["goal", "oven", "salt", "flour"]))).to_pylist()
    goal, oven, salt, flour = (names.text_hashes.to_pylist().index(h) for h in hashes)
    assert tags.languages[goal] == tags.languages[flour] == NO_TAG
    assert NO_TAG not in (tags.languages[oven], tags.languages[salt])
    assert tags.languages[oven] != tags.languages[salt]
    assert tags.authors[goal] == tags.authors[flour]
    assert len({int(tags.authors[item]) for item in (goal, oven, salt)}) == 3


def test_no_model_is_tested_by_leaving_one_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--ranker: expected windows in time, found --leave-one-out"):
        main(["--workspace", str(tmp_path), "--ranker", "m", "--leave-one-out"])
