import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


def without_index(model_name, name, field, index):
    """Give up the index of a foreign key; the table is written and read on meanwhile."""
    table, column = f'billing_{model_name}', f'{name}_id'
    return migrations.SeparateDatabaseAndState(
        database_operations=[
            migrations.RunSQL(
                f'DROP INDEX CONCURRENTLY IF EXISTS {index}',
                f'CREATE INDEX CONCURRENTLY {index} ON {table} ({column})',
            ),
        ],
        state_operations=[migrations.AlterField(model_name=model_name, name=name, field=field)],
    )


class Migration(migrations.Migration):
    """Money moves on meanwhile; interrupted, it may simply be run again."""

    atomic = False

    dependencies = [
        ('billing', '0004_what_providers_report'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        without_index(
            'hold',
            'wallet',
            models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='billing.wallet'),
            'billing_hold_wallet_id_0763e881',
        ),
        without_index(
            'ledgerentry',
            'wallet',
            models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='billing.wallet'),
            'billing_ledgerentry_wallet_id_d66e2707',
        ),
        migrations.RunSQL(
            'DROP INDEX CONCURRENTLY IF EXISTS ledger_entry_by_actor',
            migrations.RunSQL.noop,
        ),
        AddIndexConcurrently(
            model_name='ledgerentry',
            index=models.Index(condition=models.Q(('actor__isnull', False)), fields=['actor'], name='ledger_entry_by_actor'),
        ),
        without_index(
            'ledgerentry',
            'actor',
            models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
            'billing_ledgerentry_actor_id_53ca306a',
        ),
    ]
