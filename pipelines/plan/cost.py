"""What one task costs: the common terms, filled in by `generation` and `training`."""

from dataclasses import dataclass

from pipelines.plan.accelerators import Accelerator
from pipelines.plan.arithmetic import Decoding, Work

ACROSS = 0.9  # of a training's speed that is left with several accelerators; an assumption


@dataclass(frozen=True)
class Cost:
    """Of a whole task, over all of its pods. Bytes, seconds and operations.

    flops: on accelerators. seconds: that one accelerator would work for. processor: seconds of one processor, of
    stages without accelerator. memory: of each accelerator; longest: the same with a micro-batch of the longest
    examples that the settings let through. host: of each pod's main memory. disk: of all pods' data, and of one base
    model. base: of the base model, fetched by each pod. fetched, stored: from and to the object store, the base apart.
    calls: of tools. tokens: that the model reads or samples or is trained on. accelerated: whether its pods ask for
    accelerators. split: whether several of them in a pod share the work.
    """

    flops: float = 0.0
    seconds: float = 0.0
    processor: float = 0.0
    memory: float = 0.0
    longest: float = 0.0
    host: float = 0.0
    disk: float = 0.0
    base: float = 0.0
    fetched: float = 0.0
    stored: float = 0.0
    calls: float = 0.0
    tokens: float = 0.0
    accelerated: bool = False
    split: bool = False

    def disk_of_pod(self, pods: int) -> float:
        """Bytes on the disk of each of so many pods: the model, and its part of the data."""
        return self.base + (self.disk - self.base) / pods


def reading_seconds(device: Accelerator, work: Work) -> float:
    """Seconds of a forward pass over prompts."""
    return work.flops / (device.flops * device.read)


def training_seconds(device: Accelerator, flops: float) -> float:
    """Seconds of so many operations of training."""
    return flops / (device.flops * device.trained)


def decoding_seconds(device: Accelerator, decoded: Decoding, layers: int, *, graphs: bool) -> float:
    """Seconds of decoding: the slower of arithmetic and memory (Williams et al. 2009, the roofline), and each layer's own.

    graphs: the engine launches a step as a whole, so that layers cost nothing of their own.
    """
    bound = max(
        decoded.flops / (device.flops * device.read), decoded.bytes / (device.bandwidth * device.moved)
    )
    return bound + (0.0 if graphs else decoded.steps * layers * device.layer_seconds)
