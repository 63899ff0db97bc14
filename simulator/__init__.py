"""A local stand-in for QuickBooks Online: OAuth, queries, changes, faults and limits."""

from simulator.company import Company, Truth
from simulator.server import Simulator, serve

__all__ = ["Company", "Simulator", "Truth", "serve"]
