"""What an image must provide to stand in for a stage's own: looked at in the pod, before anything of it is executed.

The whole contract is `sh`, `python3`, kfp 2.17 and `components.<stage>.run:run`, which is called by name with what the
stage is given. KFP embeds the source of `check_image` beside each face, so that it is there in images of others too,
in which nothing else of this package has to be.
"""


def check_image(stage: str, given: dict[str, object]) -> None:
    """Raise, in one line, what this image lacks to run a stage: kfp, the module, its function, a name that it takes.

    given: what `run` will be called with. The error is an InputError where `components.contracts` is installed, a
    RuntimeError elsewhere. Self-contained, as it is embedded; Python 3.9 is enough.
    """
    import contextlib
    import importlib
    import importlib.metadata
    import inspect

    module = f"components.{stage}.run"
    kind: type[Exception] = RuntimeError
    with contextlib.suppress(ImportError):
        kind = importlib.import_module("components.contracts.errors").InputError

    def refused(problem: str) -> Exception:
        return kind(f"image of stage {stage}: {problem} (docs/your-own-image.md)")

    version = "none"
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        version = importlib.metadata.version("kfp")
    if version.split(".")[:2] != ["2", "17"]:
        raise refused(f"it needs kfp 2.17 and has {version}; install kfp==2.17.0 in it")
    try:
        run = getattr(importlib.import_module(module), "run", None)
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}.")
        why = next(iter(str(error).splitlines()), "ImportError")
        told = f"it has no module {module}; put it where Python looks" if absent else f"{module}: {why}"
        raise refused(told) from None if absent else error
    if not callable(run):
        raise refused(f"{module} has no function run")

    parameters = inspect.signature(run).parameters.values()
    named = {one.name: one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    others = any(one.kind is one.VAR_KEYWORD for one in parameters)
    unknown = [] if others else [name for name in given if name not in named]
    needed = [
        one
        for one in parameters
        if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    ]
    missing = [one.name for one in needed if one.name not in given or one.name not in named]
    told = "; ".join(
        f"{what} {', '.join(names)}"
        for what, names in (("does not take", unknown), ("asks for", missing))
        if names
    )
    if told:
        raise refused(f"run of {module} {told}; it is called by name with {', '.join(given)}")
