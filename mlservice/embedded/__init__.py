"""The only place that says where a checkout's own servers live and how they are reached.

Nothing here starts anything: settings ask for these addresses whenever none are given.
"""

from mlservice.embedded.home import checkout_home

__all__ = ["broker_url", "database_url", "owner_url"]


def database_url() -> str:
    """Return the address for the application's role, which owns no table."""
    return checkout_home().database_url()


def owner_url() -> str:
    """Return the address for the role that owns the tables and migrates them."""
    return checkout_home().owner_url()


def broker_url() -> str:
    """Return the address of the checkout's own Valkey."""
    return checkout_home().broker_url()
