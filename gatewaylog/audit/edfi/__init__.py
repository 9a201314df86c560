"""The trigger that logs which tokens an Ed-Fi ODS/API issues, without the tokens.

From Ed-Fi's guide "Client Access Token Monitoring", whose own trigger keeps each token in clear,
leaves out clients without a vendor, and fails or stops a login where its table is broken or locked.
"""

from __future__ import annotations

from gatewaylog.audit.edfi.installing import Installation
from gatewaylog.audit.edfi.postgresql import TokenFormat
from gatewaylog.audit.edfi.state import State

__all__ = ["Installation", "State", "TokenFormat"]
