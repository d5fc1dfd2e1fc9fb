"""The only place that lets a transaction end before the disk has it: for what may be done again.

A crash of the database server may undo it, and never what came before it or waited for the disk.
"""

from mlservice.lib.prepared import Call, Statement

# First in a message, it holds for the transaction which that message is.
UNHURRIED: Call = (
    Statement("commit_unhurried", [], "SELECT set_config('synchronous_commit', 'off', true)"),
)
