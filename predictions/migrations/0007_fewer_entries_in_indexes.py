import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

KEY = models.UniqueConstraint(
    condition=models.Q(('idempotency_key__isnull', False)),
    fields=('user', 'idempotency_key'),
    name='prediction_once_for_its_key',
)


class Migration(migrations.Migration):
    """Predictions are written and read on meanwhile; interrupted, it may simply be run again."""

    atomic = False

    dependencies = [
        ('predictions', '0006_what_finished_is_read_from_an_index'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'DROP INDEX CONCURRENTLY IF EXISTS predictions_prediction_user_id_95e83bd7',
                    'CREATE INDEX CONCURRENTLY predictions_prediction_user_id_95e83bd7 ON predictions_prediction (user_id)',
                ),
            ],
            state_operations=[
                migrations.AlterField(
                    model_name='prediction',
                    name='user',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='predictions', to=settings.AUTH_USER_MODEL),
                ),
            ],
        ),
        # The new index stands before the old one goes: a key is unique all the while.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'DROP INDEX CONCURRENTLY IF EXISTS prediction_once_for_its_key_partial',
                    migrations.RunSQL.noop,
                ),
                migrations.RunSQL(
                    'CREATE UNIQUE INDEX CONCURRENTLY prediction_once_for_its_key_partial ON predictions_prediction (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL',
                    'DROP INDEX CONCURRENTLY IF EXISTS prediction_once_for_its_key_partial',
                ),
                # Sent as one, they are done together or not at all. The index of the name is there
                # when an earlier run was interrupted after its last step.
                migrations.RunSQL(
                    'ALTER TABLE predictions_prediction DROP CONSTRAINT IF EXISTS prediction_once_for_its_key;'
                    'DROP INDEX IF EXISTS prediction_once_for_its_key;'
                    'ALTER INDEX prediction_once_for_its_key_partial RENAME TO prediction_once_for_its_key',
                    'ALTER INDEX prediction_once_for_its_key RENAME TO prediction_once_for_its_key_partial;'
                    'ALTER TABLE predictions_prediction ADD CONSTRAINT prediction_once_for_its_key UNIQUE (user_id, idempotency_key)',
                ),
            ],
            state_operations=[
                migrations.RemoveConstraint(model_name='prediction', name='prediction_once_for_its_key'),
                migrations.AddConstraint(model_name='prediction', constraint=KEY),
            ],
        ),
    ]
