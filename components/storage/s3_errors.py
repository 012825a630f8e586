"""What boto3 raises, as one line that says what to do. Never holds a secret or a signed address."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from components.contracts.errors import InputError

MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
CREDENTIALS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
ADVICE = {
    "NoSuchBucket": "there is no such bucket; create it or name another",
    "InvalidAccessKeyId": f"the store does not know this access key; {CREDENTIALS}",
    "SignatureDoesNotMatch": f"the store refuses the secret key; {CREDENTIALS}",
    "ExpiredToken": "the credentials have expired; renew them",
    "InvalidToken": "the session token is not valid; renew the credentials",
    "AccessDenied": f"access denied; {CREDENTIALS} and the rights of this key",
    "403": f"access denied; {CREDENTIALS} and the rights of this key",
    "SlowDown": "the store is overloaded and kept asking to slow down; run again later",
}


def error_code(error: ClientError) -> str:
    """The S3 error code, or the HTTP status where a reply has no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def s3_errors(uri: str, path: Path | None = None) -> Iterator[None]:
    """Turn what boto3 raises about `uri` (and the local file `path`) into an InputError."""
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if code in MISSING:
            raise InputError(f"{uri}: no such object") from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
        raise InputError(f"{uri}: {ADVICE.get(code) or f'the store answered {code} ({status})'}") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise InputError(f"{uri}: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from error
    except ParamValidationError as error:
        raise InputError(f"{uri}: not an address that S3 can have, expected s3://bucket/prefix") from error
    except (ConnectionError, HTTPClientError) as error:
        raise InputError(f"{uri}: the object store can't be reached; check AWS_ENDPOINT_URL") from error
    except BotoCoreError as error:
        raise InputError(f"{uri}: {_one_line(error)}") from error
    except Boto3Error as error:  # wraps the ClientError of an upload
        known = next((code for code in ADVICE if f"({code})" in str(error)), "")
        raise InputError(f"{uri}: {ADVICE.get(known) or _one_line(error)}") from error
    except OSError as error:
        raise InputError(f"{path or uri}: {error.strerror or _one_line(error)}") from error
    except ValueError as error:  # boto3's complaint about an endpoint that is no URL
        if isinstance(error, InputError):
            raise
        raise InputError(f"{uri}: {_one_line(error)}; check AWS_ENDPOINT_URL") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
