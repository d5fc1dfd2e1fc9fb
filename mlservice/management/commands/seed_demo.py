"""`manage.py seed_demo`: demo users, a paid top-up and a finished prediction of each model."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import User
from accounts.services import register_user
from billing.models import TopUp
from billing.services import wallet_of
from billing.top_ups import start_top_up
from ml_models.models import MLModel
from ml_models.releases import built_slugs
from ml_models.selectors import listed_models
from predictions.models import Prediction
from predictions.submitting import prepare_submission
from predictions.waiting import submit_and_wait

DEMO_CREDITS = 1_000
WAIT_SECONDS = 60


class Command(BaseCommand):
    help = "Make the demo users with a balance and a finished prediction; again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuse outside demo mode; print each model's demo prediction with its cost."""
        if not settings.DEMO_MODE:
            raise CommandError("Demo users are made only with DEMO_MODE=true.")
        demo_user("demo-admin", settings.DEMO_ADMIN_PASSWORD, is_staff=True, is_superuser=True)
        client = demo_user("demo-client", settings.DEMO_CLIENT_PASSWORD)
        top_up_once(client)
        # What somebody published besides is not predicted with the demo client's credits.
        for model in listed_models().filter(slug__in=built_slugs()):
            self.report(model, demo_prediction(client, model))
        self.stdout.write(f"demo-client has {wallet_of(client.pk).available} credits.")

    def report(self, model: MLModel, prediction: Prediction) -> None:
        if prediction.status != Prediction.Status.SUCCEEDED or prediction.output_value is None:
            raise CommandError(
                f"The demo prediction of {model.slug} is {prediction.status}"
                f" {prediction.error}: is a worker running?"
            )
        value = prediction.output_value[0]["prediction"]
        credits_ = "1 credit" if prediction.cost == 1 else f"{prediction.cost} credits"
        self.stdout.write(f"{model.title}: predicted {value:,.2f} for {credits_}.")


def demo_user(username: str, password: str, **fields: Any) -> User:
    """Find or register a demo user; its password follows the environment."""
    if not password:
        raise CommandError("Set DEMO_ADMIN_PASSWORD and DEMO_CLIENT_PASSWORD.")
    user = User.objects.filter(username=username).first()
    if user is None:
        # Nobody reads mail to such an address.
        fields |= {"email": f"{username}@example.com", "email_confirmed_at": timezone.now()}
        return register_user(username=username, password=password, **fields)
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    return user


def top_up_once(client: User) -> None:
    wallet = wallet_of(client.pk)
    if not TopUp.objects.filter(wallet=wallet, status=TopUp.Status.PAID).exists():
        start_top_up(wallet=wallet, amount=DEMO_CREDITS, provider="demo")


def demo_prediction(client: User, model: MLModel) -> Prediction:
    """Give the client's finished prediction of this model, made now when there is none."""
    mine = Prediction.objects.for_user(client).with_version()
    finished = mine.filter(status=Prediction.Status.SUCCEEDED, data_removed=False)
    done = finished.filter(version__model=model).first()
    if done is not None or model.stable is None:
        return done or Prediction(status=Prediction.Status.FAILED)
    return submit_and_wait(
        seconds=WAIT_SECONDS,
        submission=prepare_submission(model=model.slug, input=model.stable.example),
        user_id=client.pk,
        source=Prediction.Source.ADMIN,
    )
