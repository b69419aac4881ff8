"""Every error that framesift raises on purpose.

```text
FramesiftError
├── SourceError                  (OSError)
│   ├── UnsupportedSourceError   (ValueError)
│   ├── DownloadError
│   ├── VideoTooLargeError
│   └── ForbiddenAddressError    (PermissionError)
├── DecodeError                  (ValueError)
│   ├── NoVideoStreamError
│   └── CorruptVideoError
├── SpecError                    (ValueError)
│   ├── UnknownNameError         (LookupError)
│   └── InvalidOptionError
│       └── ChatRequestError
├── BudgetError                  (ValueError)
├── SelectionError               (ValueError)
├── InvalidTokensError           (ValueError)
├── MissingSignalError           (LookupError)
├── ModelError                   (RuntimeError)
│   └── EndpointError
│       └── ReplyError
├── StorageError                 (OSError)
├── TimeLimitError               (TimeoutError)
│   └── PlanTooLongError
└── MissingDependencyError       (ImportError)
```

A message is one line with three parts: what was given, what is allowed, what to do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_OF_CALLER: Final = "_framesift_of_caller"


class FramesiftError(Exception):
    """Any error that framesift raises on purpose."""

    def __init__(self, *line: object, to_caller: str | None = None) -> None:
        """Takes the line.

        Args:
            line: what was given, what is allowed and what to do, for whoever writes Python.
            to_caller: the same for whoever can do no more than call again, such as an agent or the
                client of a server; None where the line serves both.
        """
        super().__init__(*line)
        self.to_caller = to_caller


class SourceError(FramesiftError, OSError):
    """A video could not be brought to this machine."""


class UnsupportedSourceError(SourceError, ValueError):
    """No source knows this kind of address."""


class DownloadError(SourceError):
    """A download broke off, timed out or brought something that is not a video."""


class VideoTooLargeError(SourceError):
    """A video exceeds the cap of bytes, seconds or pixels."""


class ForbiddenAddressError(SourceError, PermissionError):
    """An address is outside of what may be fetched: loopback, private, link-local, metadata."""


class DecodeError(FramesiftError, ValueError):
    """A file could not be decoded as video."""


class NoVideoStreamError(DecodeError):
    """A file is readable but has no video stream."""


class CorruptVideoError(DecodeError):
    """A file is not a video, or is too damaged to give a single frame."""


class SpecError(FramesiftError, ValueError):
    """A spec string such as `"temporal:threshold=0.9"` is wrong."""


class UnknownNameError(SpecError, LookupError):
    """No registered part has this name; the message names the closest one."""


class InvalidOptionError(SpecError):
    """An option does not exist or its value is out of range."""


class ChatRequestError(InvalidOptionError):
    """A request in OpenAI's chat form is malformed, or asks for what a model cannot do."""

    def __init__(self, line: str, *, param: str | None = None, code: str | None = None) -> None:
        """Takes the line.

        Args:
            line: what is wrong.
            param: the field that is wrong, as OpenAI's errors name it.
            code: a short name of the error, for programs.
        """
        super().__init__(line)
        self.param, self.code = param, code


class BudgetError(FramesiftError, ValueError):
    """A token or frame budget is not positive or not a number."""


class SelectionError(FramesiftError, ValueError):
    """Frames cannot be scored: labels of another length or video, or scores that are no numbers."""


class InvalidTokensError(FramesiftError, ValueError):
    """Visual tokens do not fit together, or hold features that are not finite numbers."""


class MissingSignalError(FramesiftError, LookupError):
    """A strategy needs a signal that the encoder does not give."""


class ModelError(FramesiftError, RuntimeError):
    """A model folder is unsupported, incomplete or unsafe to load."""


class EndpointError(ModelError):
    """A model behind an address cannot be asked, or did not answer in time."""


class ReplyError(EndpointError):
    """A model behind an address answers, but not with what it was asked for."""


class StorageError(FramesiftError, OSError):
    """A result could not be written to a disk, or read back from it."""


class TimeLimitError(FramesiftError, TimeoutError):
    """The work took longer than `time_limit` allows."""


class PlanTooLongError(TimeLimitError):
    """A plan was not begun, since it would surely take longer than `time_limit` allows."""


class MissingDependencyError(FramesiftError, ImportError):
    """An optional dependency is not installed; the message names the exact `pip install`."""


@contextmanager
def calling_back() -> Iterator[None]:
    """Marks what a function of the caller's raises: it passes every boundary as it is."""
    try:
        yield
    except BaseException as error:
        error.__dict__[_OF_CALLER] = True
        raise


def is_of_caller(error: BaseException) -> bool:
    """Returns whether a function of the caller's has raised an error."""
    return _OF_CALLER in error.__dict__
