"""The error codes of the system log, with the numbers that OpenASelect has for them.

Which of them the software tells, and of what, stands in docs/events.md.
"""

from __future__ import annotations

from enum import IntEnum


class SystemCode(IntEnum):
    """What kind of fault a line tells of; OK: of none."""

    OK = 0x0000
    INTERNAL = 0x0001
    INITIALISATION = 0x0002
    NOT_INITIALISED = 0x0003
    RESTART = 0x0004
    CONFIGURATION_READ = 0x0011
    CONFIGURATION_WRITE = 0x0012
    CONFIGURATION_DELETE = 0x0013
    RESOURCE_CONNECT = 0x0021
    RESOURCE_INSERT = 0x0022
    RESOURCE_RETRIEVE = 0x0023
    RESOURCE_UPDATE = 0x0024
    RESOURCE_REMOVE = 0x0025
    RESOURCE_CLOSE = 0x0026
    CRYPTOGRAPHY_CREATE = 0x0031
    CRYPTOGRAPHY_VERIFY = 0x0032
    CRYPTOGRAPHY_ENCRYPT = 0x0033
    CRYPTOGRAPHY_DECRYPT = 0x0034
    TOO_MANY_TGTS = 0x0041
    TOO_MANY_SESSIONS = 0x0051
