"""The only place that lets a transaction end before the disk has it: for what may be done again.

A crash of the database server may undo it, and never what came before it or waited for the disk.
"""

from mlservice.lib.prepared import Call, Statement

# First in a message, it holds for the transaction which that message is; within another one it
# would hold for all of that.
WITHOUT_THE_DISK: Call = (
    Statement(
        "commit_without_the_disk", [], "SELECT set_config('synchronous_commit', 'off', true)"
    ),
)
