"""A local stand-in for Discord: gateway, REST, CDN, a control API and a web page, in one process and in memory."""

from __future__ import annotations

import base64

__all__ = ["DEMO_BOT_ID", "DEMO_TOKEN"]

DEMO_BOT_ID = 1107223344556677120
DEMO_TOKEN = base64.urlsafe_b64encode(str(DEMO_BOT_ID).encode()).decode().rstrip("=") + ".demo.stand-in"
"""The token of the demo world's bot, in the form `base64(id).x.y` that clients expect."""
