from django.db import migrations, models
from django.db.models import F


def confirm_who_is_here(apps, schema_editor):
    """Nobody was asked before, so nobody is doubted now."""
    users = apps.get_model("accounts", "User").objects.using(schema_editor.connection.alias)
    users.exclude(email="").update(email_confirmed_at=F("date_joined"))


class Migration(migrations.Migration):

    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="email_confirmed_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="e-mail confirmed"),
        ),
        migrations.AddField(
            model_name="user",
            name="sign_outs",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.RunPython(confirm_who_is_here, migrations.RunPython.noop),
    ]
