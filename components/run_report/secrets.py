"""Credentials that a user may have put into an address: they are left out of what is shown."""

import re

HIDDEN = "***"
_USER = re.compile(r"(?<=://)[^/?#\s\"'@]+(?=@)")
_SIGNED = re.compile(
    r"(?i)([?&;][\w.-]*(?:token|signature|credential|password|passwd|secret|sig|key|auth)[\w.-]*=)[^&;#\s\"',]+"
)
_HEADER = re.compile(r"(?i)\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}")


def without_secrets(text: str) -> str:
    """The text with `user:password@` of addresses, signed parts of queries and authorization headers' values hidden."""
    hidden = _USER.sub(HIDDEN, text)
    hidden = _SIGNED.sub(rf"\g<1>{HIDDEN}", hidden)
    return _HEADER.sub(rf"\g<1>{HIDDEN}", hidden)
