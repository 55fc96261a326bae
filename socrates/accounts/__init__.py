"""Who may come in: registering, logging in, changing passcodes."""

from socrates.accounts.accounts import Accounts
from socrates.accounts.passcodes import Passcodes

__all__ = ["Accounts", "Passcodes"]
