"""Loss functions of the method, one a file."""

from __future__ import annotations
