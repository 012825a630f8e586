"""Accelerators, and how much of them is taken to be used.

Peaks are the vendors' for dense bfloat16 (half of what they print with sparsity). The shares are assumptions; only
those of `cpu` were measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from components.contracts.errors import InputError
from components.contracts.nearest import nearest

GIGA = 10**9


@dataclass(frozen=True)
class Accelerator:
    """A device. flops: a second, dense bfloat16; bandwidth: of its memory, bytes a second; memory: bytes.

    trained, read, moved: shares of the peak that training, reading prompts, and decoding (of the bandwidth) come to.
    layer_seconds: what a layer costs in each decoding step beside its arithmetic, in this process's own engine.
    start_seconds: from a pod's creation to its first work but for the model; load: bytes a second at which the model
    is fetched. reserve: bytes of memory that no tensor gets.
    """

    name: str
    title: str
    flops: float
    bandwidth: float
    memory: float
    trained: float = 0.35
    read: float = 0.40
    moved: float = 0.60
    layer_seconds: float = 0.0006
    start_seconds: float = 60.0
    load: float = 0.5 * GIGA
    reserve: float = 2.0 * GIGA


ACCELERATORS: Mapping[str, Accelerator] = {
    one.name: one
    for one in (
        # NVIDIA A100 datasheet (SXM, 80 GB): 312 TFLOP/s, 2,039 GB/s.
        Accelerator("a100", "A100 80 GB", 312e12, 2.039e12, 80 * GIGA),
        # NVIDIA H100 datasheet (SXM): 1,979 TFLOP/s with sparsity, 3.35 TB/s.
        Accelerator("h100", "H100 80 GB", 989.4e12, 3.35e12, 80 * GIGA),
        # NVIDIA H200 datasheet (SXM): the same processor, 4.8 TB/s, 141 GB.
        Accelerator("h200", "H200 141 GB", 989.4e12, 4.8e12, 141 * GIGA),
        # NVIDIA L40S datasheet: 362.05 TFLOP/s (733 with sparsity), 864 GB/s.
        Accelerator("l40s", "L40S 48 GB", 362.05e12, 0.864e12, 48 * GIGA),
        # Two cores of an AMD EPYC with AVX-512 BF16: matrix products of 512 x 2,048 x 2,048 come to 475 GFLOP/s a core,
        # sums over 400 MB to 9 to 17 GB/s beside other work (15 is taken). `trained` is fitted to one run of
        # `self_training preset=demo` (docs/scale.md); the other shares are those assumed of all.
        Accelerator(
            "cpu",
            "2 cores",
            0.95e12,
            15 * GIGA,
            8 * GIGA,
            trained=0.24,
            start_seconds=5.0,
            load=1.0 * GIGA,
            reserve=0.5 * GIGA,
        ),
    )
}


def accelerator(name: str) -> Accelerator:
    """The accelerator of a name such as `h100`.

    Raises:
        InputError: it is not in the table; the nearest name is offered.
    """
    if name not in ACCELERATORS:
        known = ", ".join(ACCELERATORS)
        raise InputError(f"accelerator: unknown {name!r}{nearest(name, ACCELERATORS)}; known: {known}")
    return ACCELERATORS[name]
