from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Predictions are written and read on meanwhile; interrupted, it may simply be run again."""

    atomic = False

    dependencies = [
        ('billing', '0004_what_providers_report'),
        ('ml_models', '0006_cards'),
        ('predictions', '0005_explanations'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # An interrupted build leaves an index that is of no use and in the way.
        migrations.RunSQL(
            'DROP INDEX CONCURRENTLY IF EXISTS prediction_finished',
            migrations.RunSQL.noop,
        ),
        AddIndexConcurrently(
            model_name='prediction',
            index=models.Index(condition=models.Q(('completed_at__isnull', False)), fields=['user', 'completed_at'], include=('version', 'cost', 'status', 'created_at'), name='prediction_finished'),
        ),
        RemoveIndexConcurrently(
            model_name='prediction',
            name='prediction_spend',
        ),
    ]
