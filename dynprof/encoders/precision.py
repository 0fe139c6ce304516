"""Which device and which floating-point numbers an encoder computes with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dynprof.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["PRECISIONS", "resolve_device", "resolve_precision"]

PRECISIONS = {
    "float32": "float32",
    "fp32": "float32",
    "bfloat16": "bfloat16",
    "bf16": "bfloat16",
    "float16": "float16",
    "fp16": "float16",
}
"""Accepted words and the one that stands in the fingerprint."""

# Without one of these instruction sets bfloat16 is emulated and slower than float32.
BFLOAT16_CPU_FEATURES = ("avx512_bf16", "amx_bf16", "bf16")


def resolve_device(device: str) -> torch.device:
    """The device to compute on; "auto" is the first CUDA device, else the CPU.

    Raises:
        ConfigError: Not a device, or not one of this machine.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"device {device!r}: expected auto, cpu, cuda or cuda:<number> as this machine has it, found: {reason}. "
            "Use auto."
        ) from error
    return resolved


def resolve_precision(precision: str, device: str) -> str:
    """`float32`, `bfloat16` or `float16`; "auto" is the fastest that the device computes natively.

    On CUDA that is float16 (three more bits than bfloat16, and sentence encoders stay within its range), on a CPU with
    bfloat16 instructions bfloat16, else float32. Two machines may resolve "auto" differently, and vectors of two
    precisions have two fingerprints: resolve it once and pass the result on.

    Raises:
        ConfigError: Not a precision.
    """
    if precision in PRECISIONS:
        return PRECISIONS[precision]
    if precision != "auto":
        raise ConfigError(f"precision {precision!r}: expected auto, {', '.join(PRECISIONS)}. Use auto.")
    kind = resolve_device(device).type
    if kind == "cuda":
        return "float16"
    return "bfloat16" if kind == "cpu" and _cpu_has_bfloat16() else "float32"


def _cpu_has_bfloat16() -> bool:
    import torch

    # Older versions of torch cannot tell; then the safe answer is no.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(feature) for feature in BFLOAT16_CPU_FEATURES)
