"""The database itself refuses to change a ledger entry, whoever asks."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger entries are never changed: write a correction instead';
END $$;
CREATE TRIGGER ledger_entry_insert_only
    BEFORE UPDATE OR DELETE ON billing_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();
"""
ALLOW = """
DROP TRIGGER ledger_entry_insert_only ON billing_ledgerentry;
DROP FUNCTION refuse_ledger_change();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
