"""Our layers against `torch.compile` and OpenVINO, which run the same MiniLM on the same texts in bfloat16.

The others get what helps them: texts sorted by length, cut into batches of our number of tokens and padded to multiples
of eight, tokenised by the library's fastest call, compiled and warmed up beforehand; mean pooling and norm in float32.

    pip install openvino
    python -m benchmarks.bench_runtimes --events posts.parquet --texts 1500 --rounds 5

Every round has texts of its own. What cannot be imported is left out and named. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.bench_encoders import chunks
from benchmarks.machine import machine
from benchmarks.rounds import in_turn
from dynprof.encoders import load_encoder
from dynprof.encoders.transformer import CPU_TOKENS_PER_BATCH
from dynprof.encoders.weights import find_model

_MULTIPLE = 8  # padded lengths, so that few shapes are compiled
_DIM = 384

Model = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], npt.NDArray[np.float32]]
"""(b, length) ids and mask to (b, length, dim) vectors of tokens."""


class Padded:
    """An encoder of padded batches around any runtime.

    Args:
        model: The runtime.
    """

    def __init__(self, model: Model) -> None:
        from tokenizers import Tokenizer

        self._model = model
        self._tokenizer = Tokenizer.from_file(str(find_model("minilm").path / "tokenizer.json"))
        self._tokenizer.enable_truncation(256)
        self._tokenizer.no_padding()

    def __call__(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """(n, dim) unit vectors."""
        ids = [e.ids for e in self._tokenizer.encode_batch_fast(texts)]
        lengths = np.array([-(-len(i) // _MULTIPLE) * _MULTIPLE for i in ids])
        order = np.argsort(-lengths, kind="stable")
        out = np.empty((len(texts), _DIM), np.float32)
        start = 0
        while start < len(order):
            longest = int(lengths[order[start]])
            rows = order[start : start + max(1, CPU_TOKENS_PER_BATCH // longest)]
            batch, mask = np.zeros((2, len(rows), longest), np.int64)
            for row, number in enumerate(rows):
                batch[row, : len(ids[number])] = ids[number]
                mask[row, : len(ids[number])] = 1
            pooled = np.einsum("btd,bt->bd", self._model(batch, mask), mask.astype(np.float32))
            out[rows] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
            start += len(rows)
        return out


def _bert(dtype: str) -> Any:
    import torch
    from transformers import AutoModel

    return AutoModel.from_pretrained(find_model("minilm").path, dtype=getattr(torch, dtype)).eval()


def compiled() -> Model:
    """`torch.compile` with dynamic shapes."""
    import torch

    model: Any = torch.compile(_bert("bfloat16"), dynamic=True)

    def run(ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            hidden = model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
            return np.asarray(hidden.last_hidden_state.float().numpy())

    return run


def openvino() -> Model:
    """OpenVINO's CPU device with bfloat16 as its precision, for throughput."""
    import openvino
    import torch

    example = {"input_ids": torch.ones(2, 8, dtype=torch.int64), "attention_mask": torch.ones(2, 8, dtype=torch.int64)}
    converted = openvino.convert_model(_bert("float32"), example_input=example)
    config = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": os.cpu_count() or 1}
    request = openvino.Core().compile_model(converted, "CPU", config).create_infer_request()

    def run(ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        found = request.infer({"input_ids": ids, "attention_mask": mask})
        return np.asarray(found[0], np.float32)

    return run


def main() -> None:
    """Parse flags, measure, print one JSON line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--events", help="Parquet with user_id, timestamp, text; default: a generated world")
    made.add_argument("--texts", type=int, default=1_500, help="of a round")
    made.add_argument("--rounds", type=int, default=5)
    args = made.parse_args()
    ours = load_encoder("minilm", device="cpu", threads=os.cpu_count() or 1)
    warm_up, *rounds = chunks(args.events, args.texts, args.rounds + 1)
    expected, cosines, left_out = ours.encode(warm_up), {}, {}
    runs: dict[str, Callable[[list[str]], Any]] = {"ours": ours.encode}
    for name, make in (("torch_compile", compiled), ("openvino", openvino)):
        try:
            encode = Padded(make())
            cosines[name] = round(float(np.einsum("nd,nd->n", encode(warm_up), expected).mean()), 5)
            runs[name] = encode
        except (ImportError, RuntimeError) as error:
            left_out[name] = f"{type(error).__name__}: {error}"[:300]
    seconds: dict[str, list[float]] = {}
    for number, texts in enumerate(rounds):
        print(f"round={number}", file=sys.stderr)
        for name, found in in_turn({n: partial(r, texts) for n, r in runs.items()}, 1).items():
            seconds.setdefault(name, []).extend(found)
    ratios = {n: [t / o for t, o in zip(s, seconds["ours"], strict=True)] for n, s in seconds.items() if n != "ours"}
    measured = {
        "precision": ours.identity["precision"],
        "texts_a_round": args.texts,
        "texts_per_s": {name: round(args.texts / statistics.median(found)) for name, found in seconds.items()},
        "ours_over_median": {name: round(statistics.median(found), 2) for name, found in ratios.items()},
        "ours_over_range": {name: [round(min(f), 2), round(max(f), 2)] for name, f in ratios.items()},
        "mean_cosine_to_ours": cosines,
        "left_out": left_out,
    }
    print(json.dumps({"benchmark": "runtimes", **measured, "machine": machine()}))


if __name__ == "__main__":
    main()
