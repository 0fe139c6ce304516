"""What keeps an engine up to date with a log of live events: a thread that follows, a thread that encodes."""

from __future__ import annotations

from dynprof.item_search import CatalogueItems
from dynprof.live.encoding import BATCH_TEXTS, LiveEncoder
from dynprof.live.follower import Follower
from dynprof.live.items import LiveItems
from dynprof.live.log import EventLog
from dynprof.live.store import LiveStore
from dynprof.store import SnapshotStore
from serve.text_encoder import TextEncoder

__all__ = ["LiveSources"]


class LiveSources:
    """Users and items of a snapshot and of a log. The two threads run from the beginning until `close`.

    Args:
        store: The snapshot.
        items: Its items.
        encoder: Its encoder; loaded when the first text comes that has no vector.
        log: Of live events. What it has now is there when this returns, but for texts without a vector.
    """

    def __init__(self, store: SnapshotStore, items: CatalogueItems, encoder: TextEncoder, log: EventLog) -> None:
        self.users = LiveStore(store, log)
        self.items = LiveItems(items, self.users.overlay)
        self._text_encoder, self._encoded = encoder, -1
        self.catch_up()
        self._follower = Follower(self.users.overlay, after=self._after)
        self._encoder = LiveEncoder(log, encoder, on_vectors=self._follower.wake, more=self._encode_items)
        self._follower.start()
        self._encoder.start()

    def wake(self) -> None:
        """Something was written: look now."""
        self._follower.wake()
        self._encoder.wake()

    def catch_up(self) -> None:
        """Read now what the log has, in this thread: after it every answer knows."""
        self.users.overlay.catch_up()
        self.items.refresh()

    def close(self) -> None:
        """End the threads. Answers go on from what is known."""
        self._encoder.close()
        self._follower.stop()

    def _after(self) -> None:
        self.items.refresh()
        self._encoder.wake()

    def _encode_items(self) -> int:
        """Encode a batch of items of the corpus that nobody had liked until now: the log has no texts of theirs.

        Not in the thread that follows: what is erased meanwhile does not wait for a model.
        """
        overlay = self.users.overlay
        number = overlay.number  # read first: more may come while some are encoded
        waiting = [] if number == self._encoded else overlay.texts_to_encode(BATCH_TEXTS)
        if not waiting:
            self._encoded = number
            return 0
        vectors = self._text_encoder.encode([text for _, text in waiting]).astype("float16")
        overlay.learn({text_hash: v for (text_hash, _), v in zip(waiting, vectors, strict=True)})
        self.items.refresh()
        return len(waiting)
