"""The default image of each stage; a run parameter `<stage>_image` replaces it."""

VERSION = "0.1.0"


def image(stage: str) -> str:
    """The image of a stage, `whetstone/<stage>:<version>`: no registry host, never `latest`.

    KFP's cache key holds this string, so a release of a stage must come with another version (or the
    run parameter must name a digest).
    """
    return f"whetstone/{stage}:{VERSION}"
