"""Content that speaks of failures without being one: what it quotes, logs that were asked for, reports of work done."""

import re

# Quoted words of more than one are somebody else's: a title, a review, a translation, a searched text.
_QUOTED = re.compile(r"\"[^\"\n]*\"|(?<!\w)'[^'\n]*'(?!\w)|\u201c[^\u201d\n]*\u201d")

HIDDEN = "\u201cQUOTED\u201d"  # curly, so that it is not taken for a quoted name

_LOG_LINE = re.compile(
    r"\s*\W?(?:\d{4}-\d\d-\d\d[T ]|\d\d:\d\d(?::\d\d)?\b|(?:trace|debug|info|notice|warn|warning|error|fatal)\b(?!:))",
    re.IGNORECASE,
)
_BAD_LINE = re.compile(r"\b(?:error|fatal|critical|panic|exception)\b", re.IGNORECASE)

# A text that begins with what was done, or with the kind of text that it is, is what was asked for.
REPORT = re.compile(
    r"^\W*(?:(?:Set|Created|Updated|Deleted|Added|Removed|Sent|Saved|Wrote|Copied|Moved|Renamed|Scheduled|"
    r"Booked|Started|Retried|Changed|Enabled|Fixed|Installed|Uploaded|Downloaded|Posted|Published|"
    r"Merged|Imported|Exported|Archived|Assigned|Registered|Cleared|Restored|(?:Found|Listed|Showing|Last|First|Top) \d+) "
    r"(?!.*\b(?:but|however|could not|cannot|fail\w*|unable)\b)|"
    r"\w+ (?:set|saved|created|updated|scheduled|booked|sent)[:.]|(?:Summary|Fixed|Added|Changed|Resolved|TODO|Changelog|Release notes|(?:User |Customer )?[Rr]eviews?|Headlines?|Top stor(?:y|ies)|News|Abstract|Transcript|"
    r"Quote|Synopsis|Excerpt|Comments?|Lyrics|Subject|Ticket|Definition|Translation|Forecast|Weather|"
    r"Thread|Minutes|Diagnosis|History)\b[^:\n.]{0,40}:)"
)


def hide_quotes(text: str) -> str:
    """The text with quotations of several words as HIDDEN; single quoted words are names, which stay."""
    return _QUOTED.sub(lambda one: HIDDEN if re.search(r"\s", one.group()) else one.group(), text)


def last_log_line(text: str) -> str | None:
    """The last line of a log of several lines when it tells of an error, empty when not; None for no log."""
    lines = [line for line in text.splitlines() if line.strip()]
    logged = [line for line in lines if _LOG_LINE.match(line)]
    if len(logged) < 2 or len(logged) < len(lines) / 2:
        return None
    return logged[-1] if _BAD_LINE.search(logged[-1]) else ""
