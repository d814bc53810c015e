"""What can go wrong in a protocol: either the peer broke it, or we are about to.

The split decides the reaction: a `RemoteProtocolError` is answered (its `hint_status` says how) and counted,
a `LocalProtocolError` is a defect of ours. Nothing else leaves a parser.
"""


class ProtocolError(Exception):
    """Base of both; never raised itself."""

    def __init__(self, message: str) -> None:
        if type(self) is ProtocolError:
            raise TypeError("raise RemoteProtocolError or LocalProtocolError")
        super().__init__(message)


class LocalProtocolError(ProtocolError):
    """We asked for something the protocol does not allow."""


class RemoteProtocolError(ProtocolError):
    """The peer sent something that cannot be understood."""

    def __init__(self, message: str, hint_status: int = 400) -> None:
        super().__init__(message)
        self.hint_status = hint_status
        """A SIP or HTTP status that fits as the answer, if one is sent at all."""
