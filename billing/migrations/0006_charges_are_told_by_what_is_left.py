from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Money moves on meanwhile; interrupted, it may simply be run again."""

    atomic = False

    dependencies = [('billing', '0005_fewer_entries_in_indexes')]

    operations = [
        migrations.RunSQL(
            'DROP INDEX CONCURRENTLY IF EXISTS ledger_entry_beside_charges',
            migrations.RunSQL.noop,
        ),
        AddIndexConcurrently(
            model_name='ledgerentry',
            index=models.Index(condition=models.Q(('kind', 'capture'), _negated=True), fields=['wallet', 'id'], include=['kind', 'amount'], name='ledger_entry_beside_charges'),
        ),
    ]
