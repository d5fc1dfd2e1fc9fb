from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("accounts", "0002_confirmed_addresses_and_sign_outs")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="has_data_to_remove",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                condition=models.Q(("has_data_to_remove", True)),
                fields=["id"],
                name="user_data_to_remove",
            ),
        ),
    ]
