"""Every exception that gatewaylog raises on purpose.

The tree is the documentation: catch a branch to handle all that hangs from it.

GatewaylogError
├── ConfigurationError        a file or an option is wrong; nothing was started
├── LogError                  the log can't be opened as asked
├── ReaderError               a log can't be read: missing, no permission
├── RemoteError               a store that holds a log did not answer as asked
├── TokenStoreError           the database of issued tokens does not answer
├── AuthServerError           a server of keys, or one that knows tokens, does not answer
├── CountsError               the store of throttling's counts does not answer
├── ShipError                 lines can't be shipped until somebody changes something
└── UpstreamError             a backend did not answer as HTTP wants it
    ├── ConnectError          no connection: refused, unreachable, no such name, TLS failed
    ├── ConnectTimeout        no connection in time
    ├── ResponseTimeout       a connection, but no response head in time
    ├── ConnectionClosed      closed before a response head
    ├── ProtocolViolation     a response head that can't be read
    ├── SendError             any other I/O error while sending the request
    └── AnswerBroken          the response broke off after its head
        └── AnswerStalled     its next piece did not come in time
"""


class GatewaylogError(Exception):
    """The root of all."""


class ConfigurationError(GatewaylogError):
    """A configuration that can't be used; `problems` holds one line for each thing wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class LogError(GatewaylogError):
    """The log can't be opened as asked: a symbolic link, another owner's file, no permission."""


class ReaderError(GatewaylogError):
    """A log can't be read: missing, no permission, or what unpacks it is not installed.

    The message is one line that names the file. Lines that can't be read are no error.
    """


class RemoteError(GatewaylogError):
    """A ClickHouse or a Loki that holds a log can't be asked, or did not answer as asked.

    The message is one line that names it, and holds no password.
    """


class TokenStoreError(GatewaylogError):
    """The database of issued tokens can't be asked or changed.

    The message is one line for the operator, and holds no password.
    """


class AuthServerError(GatewaylogError):
    """A server of keys (JWKS) or an introspection endpoint does not answer as it should.

    The message is one line for the operator, and holds no secret.
    """


class AuthServerTimeout(AuthServerError):
    """A server of keys or an introspection endpoint did not answer in time."""


class CountsError(GatewaylogError):
    """The store in which several processes count calls together does not answer."""


class UpstreamError(GatewaylogError):
    """A backend did not answer; the message is for the operator, never for the client.

    `answer_begun`: a byte of an answer had come, so that the request must not be sent again.
    """

    answer_begun = False


class ConnectError(UpstreamError):
    """Refused, unreachable, name not resolved, or TLS failed."""


class ConnectTimeout(UpstreamError):
    """No connection within `connect_timeout`."""


class ResponseTimeout(UpstreamError):
    """No response head within `response_timeout`."""


class ConnectionClosed(UpstreamError):
    """The backend closed the connection before a response head."""


class ProtocolViolation(UpstreamError):
    """The response head is no HTTP, or its framing is ambiguous (RFC 9112 §6.3)."""


class SendError(UpstreamError):
    """Any other I/O error while the request was sent."""


class AnswerBroken(UpstreamError):
    """The response broke off after its head: closed early, or its body's framing is wrong."""


class AnswerStalled(AnswerBroken):
    """The next piece of the response's body did not come within `idle_timeout`."""


class ShipError(GatewaylogError):
    """Lines can't be shipped until somebody changes something: a wrong token or address, a state
    that another shipper holds or that is broken. The message is one line, and holds no secret.
    """
