"""What the stages that sample cost: trace generation, evaluation, and the search."""

from dataclasses import replace

from components.evaluation.settings import EvaluationSettings
from components.mcts.settings import MCTSSettings
from components.trace_generation.settings import TraceGenerationSettings
from pipelines.plan.arithmetic import decoding, forward
from pipelines.plan.cost import Cost, decoding_seconds, reading_seconds
from pipelines.plan.memory import generation_bytes, weights_bytes
from pipelines.plan.request import Request
from pipelines.plan.tasks import Task

SERVED_ROWS = 256  # conversations that vLLM decodes together unless told otherwise (max_num_seqs)
JUDGEMENT = 64  # tokens that the search reads for its own judgement of a step; an estimate


def practice(request: Request, task: Task) -> Cost:
    """Of trace generation: every practised question, sampled with tools and without."""
    settings = request.settings(TraceGenerationSettings)
    seen = request.measured
    cost = _conversations(request, settings, request.questions, request.samples, seen.turns)
    return _with_files(
        cost,
        calls=request.questions * settings.num_samples * seen.calls,
        fetched=request.questions * seen.question_bytes,
        stored=request.questions * request.samples * seen.trace_bytes,
    )


def judgement(request: Request, task: Task) -> Cost:
    """Of one evaluation of a split of the questions, one answer each; suites are not counted.

    Where golds judge, and where no tools are offered, an answer is one turn.
    """
    settings = request.settings(EvaluationSettings)
    seen = request.measured
    questions = request.validation if task.given.get("split") == "validation" else request.held_out
    one_turn = request.judged_by_golds or task.given.get("without_tools")
    cost = _conversations(request, settings, questions, 1, 1.0 if one_turn else seen.turns)
    return _with_files(
        cost,
        calls=0.0 if one_turn else questions * seen.calls,
        fetched=questions * seen.question_bytes,
        stored=questions * seen.trace_bytes,
    )


def search(request: Request, task: Task) -> Cost:
    """Of the search: the pool is ranked by perplexity, the hardest of it get trees."""
    settings = request.settings(MCTSSettings)
    shape, device, seen = request.shape, request.device, request.measured
    pool, trees = searched_trees(request, settings)
    expansions = trees * settings.simulations * seen.expanded
    rows = expansions * settings.width
    read = forward(shape, seen.example).times(pool) + forward(shape, seen.prompt, logits=1).times(trees)
    if settings.self_evaluation:
        judged = forward(shape, seen.turn + JUDGEMENT, behind=seen.prompt, logits=1)
        read += judged.times(rows)
    together = min(settings.engine.batch_size, settings.concurrent * settings.leaves * settings.width)
    weights = weights_bytes(shape)
    decoded = decoding(
        shape,
        turns=rows,
        tokens=seen.turn,
        context=seen.prompt,
        rows=together,
        most=settings.max_new_tokens,
        weight_bytes=weights,
    )
    seconds = reading_seconds(device, read) + decoding_seconds(device, decoded, shape.layers, graphs=False)
    context = seen.prompt + settings.max_new_tokens
    cost = Cost(
        flops=read.flops + decoded.flops,
        seconds=seconds if rows else 0.0,
        memory=generation_bytes(shape, rows=together, context=context, reading=seen.prompt),
        host=weights,
        base=weights,
        tokens=pool * seen.example + trees * seen.prompt + rows * seen.turn,
        accelerated=True,
    )
    pairs = trees * seen.step_pairs
    return _with_files(
        cost,
        calls=rows * seen.calls if settings.execute_tools else 0.0,
        fetched=pool * seen.question_bytes,
        stored=trees * seen.trace_bytes + pairs * seen.pair_bytes,
    )


def searched_trees(request: Request, settings: MCTSSettings) -> tuple[float, float]:
    """(questions of the pool, trees that are grown)."""
    pool = request.searched * settings.data_share
    trees = pool * settings.alpha
    return pool, min(trees, settings.max_trees) if settings.max_trees else trees


def _conversations(
    request: Request,
    settings: TraceGenerationSettings | EvaluationSettings,
    questions: float,
    samples: int,
    turns: float,
) -> Cost:
    """The model's work of the agent loop.

    The samples of a question stand beside each other: its prompt is read once for each batch that holds some of
    them, and what all prompts share once for all. Every further turn reads what lies behind the shared part again.
    """
    shape, device, seen, engine = request.shape, request.device, request.measured, settings.engine
    traces = questions * samples
    served = engine.kind != "transformers"
    rows = min(settings.concurrent, SERVED_ROWS if served else engine.batch_size)
    shared, own = seen.prompt * seen.shared, seen.prompt * (1 - seen.shared)
    again = max(0.0, turns - 1)
    # How much of a conversation lies behind a later turn, on average over those turns.
    grown = (turns / 2) * (seen.turn + seen.reply)
    first = forward(shape, own, behind=shared, logits=1).times(questions * max(1.0, samples / rows))
    later = forward(shape, own + grown, behind=shared, logits=1).times(traces * again)
    read = first + later
    quantized = engine.model.quantization == "nf4"
    weights = weights_bytes(shape, quantized=quantized)
    decoded = decoding(
        shape,
        turns=traces * turns,
        tokens=seen.turn,
        context=seen.prompt + grown * again / max(turns, 1.0),
        rows=rows,
        most=settings.max_new_tokens,
        weight_bytes=weights,
        continuous=served,
    )
    seconds = reading_seconds(device, read) + decoding_seconds(device, decoded, shape.layers, graphs=served)
    context = seen.example + settings.max_new_tokens
    elsewhere = engine.kind == "openai"
    return Cost(
        flops=read.flops + decoded.flops,
        seconds=seconds if traces else 0.0,
        memory=generation_bytes(shape, rows=rows, context=context, reading=rows * own, quantized=quantized),
        host=0.0 if elsewhere else weights_bytes(shape),
        base=0.0 if elsewhere or not traces else weights_bytes(shape),
        tokens=own * questions * max(1.0, samples / rows)
        + traces * (again * (own + grown) + turns * seen.turn),
        accelerated=True,
    )


def _with_files(cost: Cost, *, calls: float, fetched: float, stored: float) -> Cost:
    disk = cost.base + fetched + stored
    return replace(cost, disk=disk, fetched=fetched, stored=stored, calls=calls)
