import django.db.models.deletion
from django.db import migrations, models

import ml_models.fields

FIX_CARDS = """
CREATE FUNCTION refuse_change_of_model_card() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a model card is immutable, as its version is'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER model_card_is_immutable BEFORE UPDATE ON ml_models_card
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_model_card();
"""
FREE_CARDS = """
DROP TRIGGER model_card_is_immutable ON ml_models_card;
DROP FUNCTION refuse_change_of_model_card();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ml_models", "0005_explanations"),
    ]

    operations = [
        migrations.CreateModel(
            name="Card",
            fields=[
                (
                    "version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="card",
                        serialize=False,
                        to="ml_models.modelversion",
                        verbose_name="model version",
                    ),
                ),
                ("words", ml_models.fields.OrderedJSONField(default=dict, verbose_name="words")),
                ("plots", ml_models.fields.OrderedJSONField(default=dict, verbose_name="plots")),
            ],
            options={
                "verbose_name": "model card",
                "verbose_name_plural": "model cards",
            },
        ),
        migrations.RunSQL(FIX_CARDS, FREE_CARDS),
    ]
