"""Bytes, hours and dollars of a corpus of so many events. Nothing is measured here.

Sizes follow from docs/formats.md, rates from rows of benchmarks/README.md, limits from the code; prices, the speed of a
GPU and the latency of object storage are assumptions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist

from dynprof.bank import DEFAULT_BANK
from dynprof.bucket_vectors import SHARDS_AT_ONCE
from dynprof.decay import PROFILE_KINDS
from dynprof.world.measured import ACTIVITY_SIGMA, REPEAT_SHARE
from jobs import build_tasks, encode, ingest

__all__ = ["SCALES", "Assumptions", "Scale", "Size"]

HOUR_S, GB = 3_600, 1e9


def _about(default: float, meaning: str) -> float:
    """A field with its meaning, which becomes the help of its flag."""
    made: float = field(default=default, metadata={"help": meaning})
    return made


@dataclass(frozen=True)
class Assumptions:
    """What the estimate rests on. Bytes are before compression, so sizes on disk are at most these."""

    dim: float = _about(384, "of a vector; MiniLM")
    decays: float = _about(len(PROFILE_KINDS), "profiles a user")
    events_per_user: float = _about(200, "mean; 20 M events of 100,000 users, as in arXiv 2407.07925")
    text_bytes: float = _about(125, "mean of a text; 100 characters, a quarter of them of two bytes")
    row_bytes: float = _about(93, "of an event beside its text: three ids of 20, time, type, hash, weight")
    repeat_share: float = _about(REPEAT_SHARE, "texts that are said again; measured on real posts")
    gflop_per_text: float = _about(0.74, "35 tokens of 21 MFLOP; MiniLM")
    encode_per_vcpu_s: float = _about(212, "texts; 424/s of two cores, in bfloat16: benchmarks/README.md")
    gpu_tflops: float = _about(121, "dense, half precision, of one GPU; data sheet of an L4")
    gpu_share: float = _about(0.25, "of that, reached: an assumption, measure yours with bench_encode")
    tokenize_per_vcpu_s: float = _about(7_850, "texts; 15,700/s of two cores")
    gpu_node_vcpus: float = _about(8, "that feed one GPU")
    ingest_per_vcpu_s: float = _about(10_397, "events; 374,294 in 18 s on two cores, Ray's start included: docs/log.md")
    build_per_vcpu_s: float = _about(71_000, "events; 142,000/s of two cores: benchmarks/README.md")
    read_s: float = _about(0.1, "a file of object storage opened and read from: assumed, three round trips")
    cpu_node_vcpus: float = _about(16, "of a CPU worker")
    buckets: float = _about(0, "--buckets of the job; 0: as it chooses")
    shard_texts: float = _about(encode._TEXTS_PER_SHARD, "--shard-texts of the job")
    start_h: float = _about(0.4, "paid for each node beside its work: 15 minutes of installation, 10 of idling")
    cpu_node_usd_h: float = _about(0.33, "spot, m7i.4xlarge: assumed, November 2026")
    gpu_node_usd_h: float = _about(0.45, "spot, g6.2xlarge: assumed, November 2026")
    head_usd_h: float = _about(0.21, "on demand, m7i.xlarge: assumed, November 2026")
    storage_usd_gb_month: float = _about(0.023, "object storage: assumed, November 2026")

    @property
    def gpu_per_s(self) -> float:
        """Texts a second of one GPU: what it computes, or what its node's processors tokenise."""
        computed = self.gpu_tflops * self.gpu_share * 1e3 / self.gflop_per_text
        return min(computed, self.tokenize_per_vcpu_s * self.gpu_node_vcpus)


@dataclass(frozen=True)
class Scale:
    """So many events on so many nodes."""

    name: str
    events: float
    cpu_nodes: int
    gpus: int


SCALES = (Scale("20 M", 20e6, 1, 1), Scale("1 B", 1e9, 16, 4), Scale("100 B", 100e9, 256, 64))


@dataclass(frozen=True)
class Size:
    """The estimate of one scale; bytes, counts and hours."""

    scale: Scale
    given: Assumptions

    @property
    def users(self) -> float:
        """Of the corpus."""
        return self.scale.events / self.given.events_per_user

    @property
    def texts(self) -> float:
        """Distinct ones."""
        return self.scale.events * (1 - self.given.repeat_share)

    @property
    def corpus_bytes(self) -> float:
        """Events with their texts, and items, which carry the text once more."""
        row = self.given.text_bytes + self.given.row_bytes
        return self.scale.events * row + self.texts * row

    @property
    def embeddings_bytes(self) -> float:
        """At most one vector an event: a text that users of several buckets need stands in each of these."""
        return self.scale.events * (2 * self.given.dim + 16)

    @property
    def heavy_share(self) -> float:
        """Users with more events than the bank has half-lives, of a lognormal activity."""
        return 1 - NormalDist().cdf(self._few_events)

    @property
    def states_bytes(self) -> float:
        """Sums for heavy users, events for the others (the lognormal's mean below K)."""
        sums = DEFAULT_BANK.size * (4 * self.given.dim + 16)
        few = self.given.events_per_user * NormalDist().cdf(self._few_events - ACTIVITY_SIGMA)
        return self.users * (self.heavy_share * sums + few * (2 * self.given.dim + 12))

    @property
    def _few_events(self) -> float:
        """Where K events lie on the lognormal, in standard deviations from the median."""
        median = math.log(self.given.events_per_user) - ACTIVITY_SIGMA**2 / 2
        return (math.log(DEFAULT_BANK.size) - median) / ACTIVITY_SIGMA

    @property
    def profiles_bytes(self) -> float:
        """One row a user and decay."""
        return self.users * self.given.decays * (2 * self.given.dim + 40)

    @property
    def workspace_bytes(self) -> float:
        """All of it, with one snapshot."""
        return self.corpus_bytes + self.embeddings_bytes + self.states_bytes + self.profiles_bytes

    @property
    def buckets(self) -> int:
        """As `jobs.ingest` chooses them."""
        wanted = self.scale.events * (self.given.text_bytes + self.given.row_bytes) / ingest._BYTES_PER_BUCKET
        rounded = 2 ** math.ceil(math.log2(max(1.0, wanted)))
        return int(self.given.buckets) or int(min(max(rounded, ingest._FEWEST_BUCKETS), ingest._MOST_BUCKETS))

    @property
    def shards(self) -> int:
        """As `jobs.encode` chooses them."""
        wanted = self.scale.events / self.given.shard_texts
        return int(min(2 ** math.ceil(math.log2(max(1.0, wanted))), encode._MOST_SHARDS))

    @property
    def reads(self) -> int:
        """Of the build: a bucket opens every shard for its hashes, and once more for each pass over its users."""
        per_bucket = 1 / self.buckets
        by_users = math.ceil(self.users * per_bucket / build_tasks._USERS_PER_PASS[False])
        by_events = math.ceil(self.scale.events * per_bucket / build_tasks._EVENTS_PER_READ[False])
        return self.buckets * self.shards * (1 + max(by_users, by_events))

    @property
    def ingest_task_bytes(self) -> float:
        """A bucket's events with texts, three times: as they come, in order, and as they are written."""
        return 3 * self.scale.events / self.buckets * (self.given.text_bytes + self.given.row_bytes)

    @property
    def encode_task_bytes(self) -> float:
        """A shard's texts and vectors, these in float32 and in float16."""
        return self.texts / self.shards * (self.given.text_bytes + 16 + 6 * self.given.dim)

    @property
    def build_task_bytes(self) -> float:
        """A gibibyte for the sums of 16,384 users (measured), and the columns of the events of one read."""
        return 2**30 + min(self.scale.events / self.buckets, build_tasks._EVENTS_PER_READ[False]) * 110

    @property
    def evaluate_bytes(self) -> float:
        """On the driver while it numbers the texts (`bench_evaluate`: 2.6 GiB for 20 M events)."""
        return self.scale.events * 140

    @property
    def replica_bytes(self) -> float:
        """A replica of the server: every distinct text and its vector in float32."""
        return self.texts * (4 * self.given.dim + self.given.text_bytes)

    @property
    def ingest_h(self) -> float:
        """On all processors of the CPU workers."""
        return self._cpu_h(self.scale.events / self.given.ingest_per_vcpu_s)

    @property
    def encode_h(self) -> float:
        """On all GPUs."""
        return self.texts / self.given.gpu_per_s / self.scale.gpus / HOUR_S

    @property
    def encode_vcpu_h(self) -> float:
        """Processor hours that the same would take without a GPU."""
        return self.texts / self.given.encode_per_vcpu_s / HOUR_S

    @property
    def build_h(self) -> float:
        """On all processors of the CPU workers, were all files at hand."""
        return self._cpu_h(self.scale.events / self.given.build_per_vcpu_s)

    @property
    def build_wait_h(self) -> float:
        """Waiting for object storage: a task reads so many files together, one batch of them after another."""
        return self._cpu_h(self.reads / SHARDS_AT_ONCE * self.given.read_s)

    @property
    def driver_wait_h(self) -> float:
        """The driver opens every shard before and after encoding, and every bucket's states, one after another."""
        return (2 * self.shards + self.buckets) * self.given.read_s / HOUR_S

    def _cpu_h(self, vcpu_s: float) -> float:
        return vcpu_s / (self.scale.cpu_nodes * self.given.cpu_node_vcpus) / HOUR_S

    @property
    def total_h(self) -> float:
        """One stage after another, and the start of nodes once for each kind."""
        work = self.ingest_h + self.encode_h + self.build_h
        return work + self.build_wait_h + self.driver_wait_h + 2 * self.given.start_h

    @property
    def cpu_usd(self) -> float:
        """CPU workers: ingest and build, and their start."""
        hours = self.ingest_h + self.build_h + self.build_wait_h + self.given.start_h
        return self.scale.cpu_nodes * hours * self.given.cpu_node_usd_h

    @property
    def gpu_usd(self) -> float:
        """GPU workers: encode, and their start."""
        return self.scale.gpus * (self.encode_h + self.given.start_h) * self.given.gpu_node_usd_h

    @property
    def encode_without_gpu_usd(self) -> float:
        """The same texts on CPU workers."""
        return self.encode_vcpu_h / self.given.cpu_node_vcpus * self.given.cpu_node_usd_h

    @property
    def run_usd(self) -> float:
        """Workers and head."""
        return self.cpu_usd + self.gpu_usd + self.total_h * self.given.head_usd_h

    @property
    def month_usd(self) -> float:
        """Keeping the workspace for a month."""
        return self.workspace_bytes / GB * self.given.storage_usd_gb_month
