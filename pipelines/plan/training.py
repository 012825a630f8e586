"""What the stages that train cost: SFT, DPO and PPO."""

from collections.abc import Sequence
from typing import Literal

from components.dpo.settings import DPOSettings
from components.mcts.settings import MCTSSettings
from components.ppo.settings import PPOSettings
from components.sft.settings import SFTSettings
from pipelines.plan.arithmetic import Work, decoding, forward, trained_flops
from pipelines.plan.cost import Cost, decoding_seconds, reading_seconds, training_seconds
from pipelines.plan.generation import searched_trees
from pipelines.plan.memory import TRAINED, training_bytes, weights_bytes
from pipelines.plan.request import Request
from pipelines.plan.shape import FP32, ModelShape
from pipelines.plan.tasks import Task

Method = Literal["lora", "qlora", "full"]


def examples_trained(request: Request) -> float:
    """Conversations that SFT trains: what practice left, and the trajectories that were brought."""
    share = request.settings(SFTSettings).data_share
    return share * (request.questions * request.measured.examples + request.trajectories)


def adapter_bytes(request: Request, *, method: Method, rank: int, targets: Sequence[str]) -> float:
    """Of what a training hands on, in float32: an adapter, or a whole model."""
    if method == "full":
        return float(request.shape.parameters * FP32)
    return float(request.shape.adapter_parameters(rank, targets) * FP32)


def fine_tuning(request: Request, task: Task) -> Cost:
    """Of SFT. What the examples of a step have in common is encoded once, where the settings say so."""
    settings = request.settings(SFTSettings)
    seen, examples = request.measured, examples_trained(request)
    group = settings.batch_size / request.devices("sft")
    alike = seen.prompt * seen.shared if settings.share_prefixes else 0.0
    work = _packed(request.shape, seen.example, alike, group, logits=seen.sampled).times(examples)
    tokens = examples * (seen.example - alike * (1 - 1 / max(1.0, group)))
    flops = settings.epochs * _trained(request, settings, work, tokens)
    return _cost(
        request,
        settings,
        flops=flops,
        seconds=training_seconds(request.device, flops),
        tokens=settings.epochs * examples * seen.example,
        example=seen.example,
        supervised=seen.sampled,
        fetched=request.labeled * seen.trace_bytes,
        steps=settings.epochs * examples / settings.batch_size,
    )


def preference_tuning(request: Request, task: Task) -> Cost:
    """Of DPO: pairs from outcomes, or from the search where the pipeline has one; each prompt is encoded once.

    The reference's log-probabilities are made once, by a forward pass.
    """
    settings = request.settings(DPOSettings)
    seen = request.measured
    pairs = pairs_tuned(request)
    behind = seen.example - seen.prompt
    alike = seen.prompt if settings.share_prefixes else 0.0
    work = _packed(request.shape, seen.example, alike, 2, logits=seen.sampled).times(2 * pairs)
    tokens = pairs * (2 * seen.example - alike)
    reference = work if settings.loss in ("dpo", "ipo") else Work()
    flops = settings.epochs * _trained(request, settings, work, tokens)
    seconds = training_seconds(request.device, flops) + reading_seconds(request.device, reference)
    return _cost(
        request,
        settings,
        flops=flops + reference.flops,
        seconds=seconds,
        tokens=settings.epochs * 2 * pairs * seen.example,
        example=seen.prompt + 2 * behind if settings.share_prefixes else 2 * seen.example,
        supervised=2 * seen.sampled,
        fetched=pairs * seen.pair_bytes,
        steps=settings.epochs * pairs / settings.batch_size,
    )


def pairs_tuned(request: Request) -> float:
    """Preference pairs that DPO learns from."""
    if request.searches:
        return searched_trees(request, request.settings(MCTSSettings))[1] * request.measured.step_pairs
    return request.questions * request.measured.pairs


def reinforcement(request: Request, task: Task) -> Cost:
    """Of PPO: each prompt is read and answered; actor and critic are trained on it, the reference reads it once.

    The responses to a prompt that fall into one micro-batch share it; nothing is computed a second time going back.
    """
    settings = request.settings(PPOSettings)
    shape, device, seen = request.shape, request.device, request.measured
    whole = settings.method == "full"
    prompts = request.trajectories * seen.rollouts
    prompts = min(prompts, settings.max_samples) if settings.max_samples else prompts
    rollouts = prompts * settings.rollouts_per_prompt * settings.epochs
    adapter = shape.adapter_parameters(settings.lora_rank, settings.lora_targets)
    length = seen.prompt + seen.turn
    group = min(settings.rollouts_per_prompt, settings.micro_batch)
    work = _packed(shape, length, seen.prompt, group, logits=seen.turn).times(rollouts)
    at_once = settings.micro_batch * (seen.turn + seen.prompt / group)
    valued = Work(work.layers, work.attention)  # a number a token in place of logits
    tokens = rollouts * (seen.turn + seen.prompt / group)
    passes = sum(
        trained_flops(one, whole=whole, again=False, adapter=0 if whole else adapter, tokens=tokens)
        for one in (work, valued)
    )
    trained = settings.ppo_epochs * passes
    read = work + forward(shape, seen.prompt, logits=1).times(rollouts / settings.rollouts_per_prompt)
    decoded = decoding(
        shape,
        turns=rollouts,
        tokens=seen.turn,
        context=seen.prompt,
        rows=settings.batch_size / request.devices("ppo"),
        most=settings.max_new_tokens,
        weight_bytes=weights_bytes(shape),
    )
    seconds = training_seconds(device, trained) + reading_seconds(device, read)
    seconds += decoding_seconds(device, decoded, shape.layers, graphs=False)
    memory = training_bytes(
        shape,
        whole=whole,
        quantized=False,
        adapter=adapter * (not whole),
        tokens=at_once,
        supervised=settings.micro_batch * seen.turn,
        again=False,
        adapters=2,
        frozen_adapters=1,
    )
    # Whole models: a critic as large as the actor, and a frozen reference in float32.
    memory += shape.parameters * (TRAINED + FP32) if whole else 0.0
    handed = adapter_bytes(
        request, method=settings.method, rank=settings.lora_rank, targets=settings.lora_targets
    )
    state = 2 * 3 * handed  # actor and critic, with two moments each
    steps = rollouts / settings.batch_size
    files = _files(request, weights_bytes(shape), state, steps / settings.save_every)
    return Cost(
        flops=trained + read.flops + decoded.flops,
        seconds=seconds if rollouts else 0.0,
        memory=memory,
        host=weights_bytes(shape, width=FP32) if whole else weights_bytes(shape),
        disk=files.disk + handed,
        base=files.base,
        fetched=request.labeled * seen.trace_bytes + handed,
        stored=files.stored + handed,
        tokens=rollouts * length,
        accelerated=True,
        split=True,
    )


def _packed(shape: ModelShape, tokens: float, alike: float, group: float, *, logits: float) -> Work:
    """A forward pass of one sequence of a group that begins alike, with its share of that beginning."""
    group = max(1.0, group)
    beginning = forward(shape, alike).times(1 / group)
    return beginning + forward(shape, tokens - alike, behind=alike, logits=logits)


def _trained(request: Request, settings: SFTSettings | DPOSettings, work: Work, tokens: float) -> float:
    adapter = request.shape.adapter_parameters(settings.lora_rank, settings.lora_targets)
    whole = settings.method == "full"
    again = settings.gradient_checkpointing and request.device.name != "cpu"  # on GPUs only
    return trained_flops(work, whole=whole, again=again, adapter=0 if whole else adapter, tokens=tokens)


def _cost(
    request: Request,
    settings: SFTSettings | DPOSettings,
    *,
    flops: float,
    seconds: float,
    tokens: float,
    example: float,
    supervised: float,
    fetched: float,
    steps: float,
) -> Cost:
    """example, supervised: tokens of one example of a micro-batch, and those of them that have logits."""
    shape, whole = request.shape, settings.method == "full"
    adapter = 0 if whole else shape.adapter_parameters(settings.lora_rank, settings.lora_targets)

    def memory(length: float) -> float:
        return training_bytes(
            shape,
            whole=whole,
            quantized=settings.method == "qlora",
            adapter=adapter,
            tokens=settings.micro_batch * length,
            supervised=settings.micro_batch * length * supervised / example,
            again=settings.gradient_checkpointing and request.device.name != "cpu",
        )

    sides = 2 if isinstance(settings, DPOSettings) else 1
    handed = adapter_bytes(
        request, method=settings.method, rank=settings.lora_rank, targets=settings.lora_targets
    )
    files = _files(request, weights_bytes(shape), 3 * handed, steps / settings.save_every)
    return Cost(
        flops=flops,
        seconds=seconds,
        memory=memory(example),
        longest=memory(sides * settings.max_tokens),
        host=weights_bytes(shape, width=FP32) if whole else weights_bytes(shape),
        disk=files.disk + handed + fetched,
        base=files.base if steps else 0.0,
        fetched=fetched,
        stored=(files.stored + handed) if steps else 0.0,
        tokens=tokens,
        accelerated=True,
        split=True,
    )


def _files(request: Request, base: float, state: float, checkpoints: float) -> Cost:
    """The base model and the checkpoints, each of `state` bytes and written over the one before."""
    kept = request.arguments.parameters.get("checkpoint_root", "s3://")
    return Cost(base=base, disk=base + state, stored=int(checkpoints) * state if kept else 0.0)
