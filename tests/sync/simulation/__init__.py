"""A company whose people work on phones, offline and over a bad network, and a ledger of what the server said yes to.

``company`` lets days pass; ``worker`` is one phone with its person; each noun of the business has a module that says what people
do with it on phones, what the office does, and what must be true in the end.
"""

from tests.sync.simulation.company import Company, Plan
from tests.sync.simulation.network import SpreadHttp, Ticking

__all__ = ["Company", "Plan", "SpreadHttp", "Ticking"]
