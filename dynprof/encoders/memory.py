"""Too little memory on the device: what is recognised, and what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["device_memory", "is_out_of_memory"]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch means that memory ran out: a GPU's has a class of its own, a CPU's only a text."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "not enough memory: you tried to allocate" in str(error)


def device_memory(device: torch.device) -> str:
    """What a device has, for an error message."""
    import torch

    if device.type != "cuda":
        return str(device)
    free, total = torch.cuda.mem_get_info(device)
    return f"{device} ({torch.cuda.get_device_name(device)}) with {free >> 20} of {total >> 20} MiB free"
