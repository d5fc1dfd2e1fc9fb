from django.db import migrations

# A server built without lz4 keeps what it has.
PACKED = """
DO $$ BEGIN
    ALTER TABLE predictions_prediction
        ALTER input SET COMPRESSION {method}, ALTER output SET COMPRESSION {method};
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$
"""


class Migration(migrations.Migration):
    """What is written from now on is packed with lz4; what lies there is read as before."""

    dependencies = [('predictions', '0007_fewer_entries_in_indexes')]

    operations = [
        migrations.RunSQL(PACKED.format(method='lz4'), PACKED.format(method='default')),
    ]
