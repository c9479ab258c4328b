"""The screens: `create_app(services)` makes the touchscreen's pages and, in the demo, the virtual cabinet's."""

from web.app import create_app
from web.services import Demo, Services

__all__ = ["Demo", "Services", "create_app"]
